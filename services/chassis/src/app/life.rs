//! From the first line of `main` to the exit status.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    App, Clients, Detached, Metrics, OnError, Server, ServerKind, Spawned, Task,
    admin::{Admin, LogSwitch},
    settings::{Loaded, Settings, load},
    shutdown,
};
use crate::{
    config::{Config, Sources},
    events::{self, outbox},
    grpc, http,
    identity::Identity,
    kafka, messaging,
    metrics::{Registry, observe_runtime},
    readiness::{Impact, Readiness},
    server::{self, Port, Protocol},
    telemetry::{LogLevel, Telemetry},
};

/// Runs a service until a signal stops it: `main` in one line.
pub fn run<C: Config>(
    identity: Identity,
    overrides: Vec<(String, String)>,
    wire: impl AsyncFnOnce(&mut App, C) -> anyhow::Result<()>,
) -> ExitCode {
    let loaded = match load::<C>(identity, &Sources::of_process(overrides)) {
        Ok(loaded) => loaded,
        Err(errors) => return refuse(&errors),
    };
    allow_many_connections();
    let runtime = match runtime(loaded.settings.runtime.workers) {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error),
    };
    match runtime.block_on(start(identity, loaded, wire)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<BeforeLogging>() => refuse(&format_args!("{error:#}")),
        Err(_logged) => ExitCode::FAILURE,
    }
}

/// Exit status for an invalid configuration, as in `sysexits.h`.
const EX_CONFIG: u8 = 78;

/// The error happened before logging was set up.
#[derive(Debug)]
struct BeforeLogging;

impl std::fmt::Display for BeforeLogging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("telemetry cannot be started")
    }
}

#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(EX_CONFIG)
}

/// Raises the limit of open files: the usual soft limit of 1024 is for programs that use `select(2)`, and each live stream
/// needs one file descriptor.
fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    // Where the system refuses, the limit stays as it is.
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok();
}

fn runtime(workers: usize) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match workers {
        0 | 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if workers > 1 {
        builder.worker_threads(workers);
    }
    builder.enable_all().build()
}

/// Runs a service within a runtime.
///
/// # Errors
/// Wiring failed, a task that the service cannot do without failed, or the drain was cut off. All of these are logged.
pub async fn start<C: Config>(
    identity: Identity,
    loaded: Loaded<C>,
    wire: impl AsyncFnOnce(&mut App, C) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let registry = Registry::new();
    let telemetry =
        Telemetry::start(identity, &loaded.settings.telemetry, &loaded.settings.log, &registry)
            .context(BeforeLogging)?;
    let result = live(identity, loaded, registry, telemetry.log_level(), wire).await;
    match &result {
        Ok(()) => tracing::info!("stopped"),
        Err(error) => tracing::error!(error = format!("{error:#}"), "stopped by an error"),
    }
    // Also after an error: the spans and log lines of a failure matter most.
    telemetry.flush().await;
    result
}

async fn live<C: Config>(
    identity: Identity,
    loaded: Loaded<C>,
    registry: Registry,
    level: LogLevel,
    wire: impl AsyncFnOnce(&mut App, C) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Loaded { settings, service, effective } = loaded;
    let draining = CancellationToken::new();
    let signals = shutdown::listen(draining.clone())?;
    let readiness = Readiness::new(&registry)?;
    let wiring = readiness.latch("wiring");
    let level = LogSwitch::new(level, &settings.log.filter);
    let admin = Admin {
        service: identity.name,
        registry: registry.clone(),
        readiness: readiness.clone(),
        level: level.clone(),
        effective,
    };
    let mut side = JoinSet::new();
    side.spawn(signals);
    side.spawn(level.revert_when_due());
    let listen = settings.admin.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!(
            "listen on {listen} (admin); another process may have the port: `admin.listen` moves it"
        )
    })?;
    let address = listener.local_addr()?;
    let router = admin.router(http::Guard::new(identity.name, &settings.http));
    let mut app = App::new(identity, settings, registry, readiness, draining.clone())?;
    let port = app.port("admin", Protocol::Http, ADMIN_CONNECTIONS);
    let router = http::with_problems(router);
    side.spawn(server::serve(listener, router, port, std::future::pending()));
    app.addresses.push(("admin", address));
    tokio::select! {
        wired = wire(&mut app, service) => wired.context("wire")?,
        // A signal came during the wiring, for instance while waiting for a database: no work was begun, so there is none to
        // finish.
        () = draining.cancelled() => return Ok(()),
    }
    let mut life = Life::begin(&mut app)?;
    wiring.release();
    let addresses: Vec<_> =
        app.addresses.iter().map(|(name, address)| format!("{name}={address}")).collect();
    tracing::info!(addresses = addresses.join(" "), "started");
    let failed = life.until_drain(&draining).await;
    life.drain(&app, failed).await
}

impl App {
    fn new(
        identity: Identity,
        settings: Settings,
        registry: Registry,
        readiness: Readiness,
        draining: CancellationToken,
    ) -> anyhow::Result<Self> {
        let metrics = Metrics::register(&registry)?;
        let Identity { name, version, revision, .. } = identity;
        metrics.build_info.with_label_values(&[name, version, revision]).set(1);
        observe_runtime(&registry)?;
        let messaging = messaging::Metrics::register(&registry)?;
        Ok(Self {
            name: identity.name,
            clients: Clients::default(),
            producer: kafka::Producer::new(identity.name, &settings.kafka, messaging.clone()),
            messaging,
            detached: Detached::new(draining.clone(), metrics.panics_total.clone()),
            panics: metrics.panics_total,
            connections: server::Metrics::register(&registry)?,
            settings,
            registry,
            readiness,
            draining,
            consumer: None,
            database: None,
            nats: None,
            servers: Vec::new(),
            tasks: Vec::new(),
            after_drain: Vec::new(),
            addresses: Vec::new(),
        })
    }

    fn port(&self, name: &'static str, protocol: Protocol, connections: usize) -> Port {
        Port { name, protocol, connections, metrics: self.connections.clone() }
    }

    pub(super) fn http_metrics(&self) -> anyhow::Result<http::ServerMetrics> {
        http::ServerMetrics::register(&self.registry)
    }
}

/// The tasks that run between ready and drained, in the order in which the drain stops them.
struct Life {
    /// Each server finishes the requests that it accepted.
    servers: JoinSet<anyhow::Result<()>>,
    /// The consumer finishes the records that it fetched.
    consumer: JoinSet<anyhow::Result<()>>,
    /// Tasks are dropped.
    tasks: JoinSet<(&'static str, OnError, anyhow::Result<()>)>,
    /// The relay sends the events that the others left in the outbox.
    relay: JoinSet<anyhow::Result<()>>,
    relay_draining: CancellationToken,
    /// Work for the time after all of them.
    after: Vec<Task>,
}

/// The most connections of a port for clients, and of the port for operators. At some 16 KiB each, they fit into a process of
/// 32 MiB.
const CONNECTIONS: usize = 512;
const ADMIN_CONNECTIONS: usize = 64;

/// The part of the deadline that the drain of servers leaves for what drains after them: consumers, outbox, live messages.
const RESERVE: Duration = Duration::from_secs(3);

impl Life {
    fn begin(app: &mut App) -> anyhow::Result<Self> {
        let mut life = Self {
            servers: JoinSet::new(),
            consumer: JoinSet::new(),
            tasks: JoinSet::new(),
            relay: JoinSet::new(),
            relay_draining: CancellationToken::new(),
            after: std::mem::take(&mut app.after_drain),
        };
        let mut committed = events::CommittedOffsets::default();
        if let Some(consumer) = app.consumer.take() {
            committed = consumer.committed();
            if app.database.is_some() {
                // A handler of events usually publishes events, too.
                app.producer.connect();
            }
            let latch = app.latch("kafka");
            let grace = app.settings.drain.deadline.saturating_sub(RESERVE);
            life.consumer.spawn(consumer.run(move || latch.release(), app.draining(), grace));
        }
        if let Some(database) = &app.database {
            let relay = outbox::Relay::new(
                database,
                &app.producer,
                app.name,
                &app.settings.outbox,
                &app.registry,
            )?
            .purging_inbox(committed)
            .reporting_to(app.readiness.condition("outbox", Impact::Degraded));
            life.relay.spawn(relay.run(life.relay_draining.clone()));
        }
        for Spawned { name, on_error, task } in app.tasks.drain(..) {
            life.tasks.spawn(async move { (name, on_error, task.await) });
        }
        for server in std::mem::take(&mut app.servers) {
            life.servers.spawn(serve(server, app));
        }
        Ok(life)
    }

    /// Waits for a signal, or until a part fails that the service cannot do without.
    async fn until_drain(&mut self, draining: &CancellationToken) -> anyhow::Result<()> {
        loop {
            let ended = tokio::select! {
                () = draining.cancelled() => return Ok(()),
                Some(ended) = self.servers.join_next() => ended.context("a server panicked"),
                Some(ended) = self.consumer.join_next() => ended.context("the consumer panicked"),
                Some(ended) = self.relay.join_next() => ended.context("the outbox relay panicked"),
                Some(ended) = self.tasks.join_next() => match ended.context("a task panicked") {
                    Ok((name, OnError::Log, Err(error))) => {
                        tracing::error!(task = name, error = format!("{error:#}"), "a task failed; going on without it");
                        continue;
                    }
                    Ok((name, _, result)) => Ok(result.with_context(|| format!("task {name:?}"))),
                    Err(panicked) => Err(panicked),
                },
            };
            if let Err(error) = ended.flatten() {
                draining.cancel();
                return Err(error);
            }
        }
    }

    /// Drains servers, the work that their requests began, consumers, tasks, outbox and live messages, in this order, and does
    /// what the service wants done after that. Returns `failed`, or else the first error of the drain.
    async fn drain(&mut self, app: &App, failed: anyhow::Result<()>) -> anyhow::Result<()> {
        app.readiness.drain();
        let deadline = Instant::now() + app.settings.drain.settle + app.settings.drain.deadline;
        let most =
            deadline.checked_sub(RESERVE.min(app.settings.drain.deadline / 2)).unwrap_or(deadline);
        let served = timeout_at(most, finish(&mut self.servers))
            .await
            .context("requests in flight were cut off");
        let detached = timeout_at(most, app.detached.finish())
            .await
            .context("work that requests began was cut off");
        let consumed = timeout_at(most, finish(&mut self.consumer))
            .await
            .context("events in flight were cut off");
        self.tasks.shutdown().await;
        self.relay_draining.cancel();
        let relayed = timeout_at(deadline, finish(&mut self.relay))
            .await
            .context("the outbox was not emptied; the next start does it");
        if let Some(nats) = &app.nats {
            drop(timeout_at(deadline, nats.drain()).await);
        }
        let mut after = Ok(());
        for work in self.after.drain(..) {
            let done = timeout_at(deadline, work).await.context("the last work was cut off");
            after = after.and(done.flatten());
        }
        failed
            .and(served.flatten())
            .and(detached)
            .and(consumed.flatten())
            .and(relayed.flatten())
            .and(after)
    }
}

async fn finish(tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context("panicked").flatten()?;
    }
    Ok(())
}

/// Serves until `settle` has passed since the drain began, so that load balancers have noticed it.
fn serve(server: Server, app: &App) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let Server { name, listener, kind } = server;
    let (draining, settle) = (app.draining(), app.settings.drain.settle);
    let began = draining.clone();
    let stop = async move {
        began.cancelled().await;
        tokio::time::sleep(settle).await;
    };
    let protocol = match &kind {
        ServerKind::Http(_) => Protocol::Http,
        ServerKind::Grpc(..) => Protocol::Grpc,
    };
    let (port, readiness) = (app.port(name, protocol, CONNECTIONS), app.readiness.clone());
    async move {
        match kind {
            ServerKind::Http(router) => {
                let router = http::connection_close(router, draining);
                server::serve(listener, router, port, stop).await;
            }
            ServerKind::Grpc(services, edge) => {
                let grpc::Served { service, health } = services.served(edge, &readiness)?;
                let stop = async {
                    tokio::select! {
                        () = stop => {}
                        never = health.follow() => match never {},
                    }
                    health.end().await;
                };
                server::serve(listener, service, port, stop).await;
            }
        }
        Ok(())
    }
}
