//! Redis, or a server that speaks its protocol. Each call is made once, with a short time limit; while the server does not
//! answer, the circuit breaker rejects calls.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use opentelemetry::{
    Context, KeyValue,
    trace::{Span, SpanKind, Status, TraceContextExt, Tracer},
};
use redis::{
    Client, ClientTlsConfig, Cmd, FromRedisValue, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::timeout;

use super::settings::Settings;
use crate::{
    Error, Kind,
    breaker::{self, Breaker},
    metrics::Registry,
    readiness::{Condition, Impact, Readiness},
    telemetry,
};

/// The server's name in metrics and traces, for Redis and Valkey alike.
const DESTINATION: &str = "redis";

/// One connection that all caches share. It is made at the first use, and again after it was lost.
#[derive(Clone)]
pub(crate) struct Shared {
    connection: ConnectionManager,
    breaker: Breaker,
    limit: Duration,
    /// Raised while the server cannot be used. All replicas share the server, and each works without it.
    condition: Condition,
}

impl Shared {
    pub(super) fn open(
        settings: &Settings,
        registry: &Registry,
        readiness: &Readiness,
        breakers: &breaker::Metrics,
    ) -> anyhow::Result<Self> {
        let client = client(settings)?;
        // The next call reconnects; the circuit breaker provides the pauses.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(settings.timeout))
            .set_response_timeout(Some(settings.timeout));
        let connection = ConnectionManager::new_lazy_with_config(client, config)
            .context("redis.url is not the address of a Redis server")?;
        let breaker = Breaker::new(DESTINATION, registry, breakers);
        let condition = readiness.condition(DESTINATION, Impact::Degraded);
        Ok(Self { connection, breaker, limit: settings.timeout, condition })
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.ask("GET", redis::cmd("GET").arg(name)).await
    }

    pub(super) async fn set(&self, name: &str, value: Vec<u8>, ttl: Duration) -> Result<(), Error> {
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        self.ask("SET", redis::cmd("SET").arg(name).arg(value).arg("PX").arg(ttl)).await
    }

    /// Raises the condition unless it is raised already, so that the reason of the last error stays.
    fn raise_if_not(&self, reason: &str) {
        if !self.condition.is_raised() {
            self.condition.raise(format!("Redis cannot be used: {reason}"));
        }
    }

    async fn ask<T: FromRedisValue>(
        &self,
        operation: &'static str,
        command: &Cmd,
    ) -> Result<T, Error> {
        let permit =
            self.breaker.ask().inspect_err(|_| self.raise_if_not("it does not answer in time"))?;
        let span = span(operation);
        let mut connection = self.connection.clone();
        let asked = timeout(self.limit, command.query_async(&mut connection)).await;
        let answer = match asked {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                // One slow answer is no outage: the circuit breaker opens when there are many.
                if !error.is_timeout() {
                    self.condition.raise(format!("Redis cannot be used: {error}"));
                }
                Err(Error::new(Kind::Unavailable, "redis").source(error))
            }
            Err(_) => Err(Error::new(Kind::DeadlineExceeded, "redis did not answer in time")),
        };
        if answer.is_ok() {
            self.condition.clear();
            permit.succeeded()
        } else {
            permit.failed()
        }
        if let Some(mut span) = span {
            if let Err(error) = &answer {
                span.set_status(Status::error(error.to_string()));
            }
            span.end();
        }
        answer
    }
}

fn client(settings: &Settings) -> anyhow::Result<Client> {
    let (url, tls) = (settings.url.expose(), &settings.tls);
    let pem = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
    let root_cert = pem(&tls.ca);
    let client_tls = match (pem(&tls.certificate), pem(tls.key.expose())) {
        (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
        (None, None) => None,
        _ => bail!("redis.tls.certificate and redis.tls.key belong together: one of them is empty"),
    };
    if root_cert.is_none() && client_tls.is_none() {
        return Client::open(url).context("redis.url is not the address of a Redis server");
    }
    ensure!(
        url.starts_with("rediss:") || url.starts_with("valkeys:"),
        "redis.tls is set and redis.url has no TLS; expected rediss://host:port/number"
    );
    // A file without any certificate would be read as an empty list of authorities.
    ensure!(
        tls.ca.is_empty() || tls.ca.contains("BEGIN CERTIFICATE"),
        "redis.tls.ca holds no certificate; expected PEM"
    );
    let certificates = TlsCertificates { client_tls, root_cert };
    Client::build_with_tls(url, certificates)
        .context("redis.url, redis.tls: expected rediss://host:port/number and certificates in PEM")
}

/// A span only within a recorded trace, as for the database.
fn span(operation: &'static str) -> Option<impl Span> {
    let parent = Context::current();
    if !parent.span().span_context().is_sampled() {
        return None;
    }
    let tracer = telemetry::tracer();
    let attributes = [
        KeyValue::new("db.system.name", DESTINATION),
        KeyValue::new("db.operation.name", operation),
    ];
    let builder =
        tracer.span_builder(operation).with_kind(SpanKind::Client).with_attributes(attributes);
    Some(builder.start_with_context(tracer, &parent))
}
