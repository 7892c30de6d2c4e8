//! The connections, servers and consumers that a service can be wired to.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use tokio::net::TcpListener;

use super::{App, OnError, Server, ServerKind};
use crate::{
    breaker::{self, Breaker},
    cache::Caches,
    config::SecretUrl,
    database::{self, Database, Migrations},
    events,
    grpc::{self, Channel, Endpoints},
    http, nats,
    readiness::Impact,
    telemetry::Forwarder,
};

impl App {
    /// A gRPC channel to all replicas of another service.
    ///
    /// # Errors
    /// The metrics of calls cannot be declared.
    pub fn channel(&mut self, endpoints: &Endpoints) -> anyhow::Result<Channel> {
        let metrics = match &self.clients.grpc {
            Some(metrics) => metrics.clone(),
            None => {
                self.clients.grpc.insert(grpc::ClientMetrics::register(&self.registry)?).clone()
            }
        };
        let (channel, keep) = grpc::connect(endpoints, metrics);
        self.spawn("resolve replicas", OnError::Shutdown, async move {
            keep.await;
            Ok(())
        });
        Ok(channel)
    }

    /// A client of a third party's HTTP API. `limit` bounds each request; a circuit breaker guards them.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use chassis::App;
    ///
    /// fn wire(app: &mut App) -> anyhow::Result<()> {
    ///     let base = "https://pay.example".into();
    ///     let client = app.http_client("pay", &base, Duration::from_secs(2))?;
    ///     # drop(client);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// The client cannot be built.
    pub fn http_client(
        &mut self,
        peer: &'static str,
        base: &SecretUrl,
        limit: Duration,
    ) -> anyhow::Result<http::Client> {
        let metrics = match &self.clients.http {
            Some(metrics) => metrics.clone(),
            None => {
                self.clients.http.insert(http::ClientMetrics::register(&self.registry)?).clone()
            }
        };
        let breakers = self.breakers()?;
        let breaker = Breaker::new(peer, &self.registry, &breakers);
        http::Client::new(peer, base, limit, breaker, metrics)
    }

    fn breakers(&mut self) -> anyhow::Result<breaker::Metrics> {
        if let Some(metrics) = &self.clients.breakers {
            return Ok(metrics.clone());
        }
        Ok(self.clients.breakers.insert(breaker::Metrics::register(&self.registry)?).clone())
    }

    /// The caches of this service: in memory, or in Redis if its URL is set. Returns without waiting for Redis.
    ///
    /// # Errors
    /// The Redis URL is invalid.
    pub fn caches(&mut self) -> anyhow::Result<Caches> {
        if let Some(caches) = &self.clients.caches {
            return Ok(caches.clone());
        }
        let (settings, registry) = (self.settings.redis.clone(), self.registry.clone());
        let readiness = self.readiness.clone();
        let caches = Caches::open(self.name, &settings, &registry, &readiness, || self.breakers())?;
        Ok(self.clients.caches.insert(caches).clone())
    }

    /// Opens the service's database, waiting until the database is reachable, and brings its schema up to date.
    ///
    /// # Errors
    /// The URL is invalid, or a migration fails.
    pub async fn database(
        &mut self,
        config: &database::Config,
        migrations: Migrations,
    ) -> anyhow::Result<Database> {
        let latch = self.latch("database");
        let database =
            Database::connect(config, &[events::MIGRATIONS, migrations], &self.registry).await?;
        database.report_to(&self.readiness);
        self.spawn("keep the database in order", OnError::Shutdown, database.clone().keep());
        self.database = Some(database.clone());
        latch.release();
        Ok(database)
    }

    /// The client for live messages; waits until the NATS server is reachable.
    ///
    /// # Errors
    /// The URL is invalid.
    pub async fn nats(&mut self) -> anyhow::Result<nats::Client> {
        if let Some(client) = &self.nats {
            return Ok(client.clone());
        }
        let latch = self.latch("nats");
        let client = nats::Client::connect(
            self.name,
            &self.settings.nats,
            self.messaging.clone(),
            &self.registry,
            // All replicas share the NATS servers: without live messages, orders still work.
            self.condition("nats", Impact::Degraded),
        )
        .await?;
        latch.release();
        self.nats = Some(client.clone());
        Ok(client)
    }

    /// Forwards the spans and log records of others to where this service sends its own telemetry; what is queued when the
    /// service has drained is sent before it ends. Call it once.
    ///
    /// # Errors
    /// Its metrics are declared already, or a client cannot be built.
    pub fn forwarder(&mut self) -> anyhow::Result<Forwarder> {
        let (forwarder, flush) = Forwarder::start(&self.settings.telemetry, &self.registry)?;
        self.after_drain(flush.finish());
        Ok(forwarder)
    }

    /// Binds a gRPC server with health and reflection. It accepts connections once everything is wired.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn serve_grpc(
        &mut self,
        listen: SocketAddr,
        services: grpc::Services,
    ) -> anyhow::Result<SocketAddr> {
        let metrics = grpc::ServerMetrics::register(&self.registry)?;
        let edge = grpc::Edge::new(metrics, self.panics.clone());
        self.bind("grpc", listen, ServerKind::Grpc(services, edge)).await
    }

    /// Binds an HTTP server. It accepts connections once everything is wired.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn serve_http(
        &mut self,
        listen: SocketAddr,
        router: axum::Router,
        options: http::Options,
    ) -> anyhow::Result<SocketAddr> {
        let edge = http::Edge::new(self.http_metrics()?, self.panics.clone(), options);
        self.bind("http", listen, ServerKind::Http(edge.around(router))).await
    }

    async fn bind(
        &mut self,
        name: &'static str,
        listen: SocketAddr,
        kind: ServerKind,
    ) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!(
                "listen on {listen} ({name}); another process may have the port: `listen` moves it"
            )
        })?;
        let address = listener.local_addr()?;
        self.addresses.push((name, address));
        self.servers.push(Server { name, listener, kind });
        Ok(address)
    }

    /// Handles each event of a topic once: the handler's changes and the event's id are written in one transaction.
    ///
    /// # Errors
    /// The service has no database, or it handles the topic already.
    pub fn consume<H: events::Handler>(&mut self, handler: H) -> anyhow::Result<()> {
        let database = self.inbox()?;
        self.consumer()?.handle(&database, handler)
    }

    /// Handles each event of a topic once, after a call to a third party. The call is made outside of the transaction and may be
    /// repeated for the same event.
    ///
    /// # Errors
    /// The service has no database, or it handles the topic already.
    pub fn consume_with_side_effect<H: events::SideEffectHandler>(
        &mut self,
        handler: H,
    ) -> anyhow::Result<()> {
        let database = self.inbox()?;
        self.consumer()?.handle_with_side_effect(&database, handler)
    }

    /// Handles the events of a topic in batches, each event once.
    ///
    /// # Errors
    /// The service has no database, or it handles the topic already.
    pub fn consume_batches<H: events::BatchHandler>(&mut self, handler: H) -> anyhow::Result<()> {
        let database = self.inbox()?;
        self.consumer()?.handle_batches(&database, handler)
    }

    /// Handles the events of a topic at least once, without a database.
    ///
    /// # Errors
    /// The service handles the topic already.
    pub fn observe<H: events::Observer>(&mut self, handler: H) -> anyhow::Result<()> {
        self.consumer()?.observe(handler)
    }

    fn inbox(&self) -> anyhow::Result<Database> {
        self.database
            .clone()
            .context("a handler needs the database: call App::database before App::consume")
    }

    fn consumer(&mut self) -> anyhow::Result<&mut events::Consumer> {
        if self.consumer.is_none() {
            let made = events::Consumer::new(
                self.name,
                &self.settings.kafka,
                &self.producer,
                &self.registry,
                &self.readiness,
                &self.panics,
            )?;
            self.consumer = Some(made);
        }
        self.consumer.as_mut().context("was made above")
    }
}
