//! Redis, or what speaks as it does. It is asked once, in little time, and left alone while it does not answer.

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::{
    Context, KeyValue,
    trace::{Span, SpanKind, Status, TraceContextExt, Tracer},
};
use redis::{
    Cmd, FromRedisValue,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::timeout;

use super::Settings;
use crate::{
    Error, Kind,
    breaker::{self, Breaker},
    metrics::Registry,
    telemetry,
};

/// Its name in metrics and traces, whichever of them it is.
const DESTINATION: &str = "redis";

/// One connection for all, made when it is needed, and made again when it is lost.
#[derive(Clone)]
pub(crate) struct Shared {
    connection: ConnectionManager,
    breaker: Breaker,
    limit: Duration,
}

/// What is wrong with the address of a Redis server; it may be empty.
pub(super) fn check(url: &str) -> Result<(), String> {
    let known =
        ["redis:", "rediss:", "valkey:", "valkeys:", "unix:", "redis+unix:", "valkey+unix:"];
    let schemes = known.iter().any(|scheme| url.starts_with(scheme));
    if url.is_empty() || schemes && redis::Client::open(url).is_ok() {
        return Ok(());
    }
    Err("not the address of a Redis server; expected redis://host:port/number, or rediss:// for TLS".into())
}

impl Shared {
    pub(super) fn open(
        settings: &Settings,
        registry: &Registry,
        breakers: &breaker::Metrics,
    ) -> anyhow::Result<Self> {
        let wrong = "redis.url is not the address of a Redis server";
        let client = redis::Client::open(settings.url.expose()).context(wrong)?;
        // Who asks next tries again: the breaker sees to the pauses.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(settings.timeout))
            .set_response_timeout(Some(settings.timeout));
        let connection = ConnectionManager::new_lazy_with_config(client, config).context(wrong)?;
        let breaker = Breaker::new(DESTINATION, registry, breakers);
        Ok(Self { connection, breaker, limit: settings.timeout })
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.ask("GET", redis::cmd("GET").arg(name)).await
    }

    pub(super) async fn set(&self, name: &str, value: Vec<u8>, ttl: Duration) -> Result<(), Error> {
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        self.ask("SET", redis::cmd("SET").arg(name).arg(value).arg("PX").arg(ttl)).await
    }

    async fn ask<T: FromRedisValue>(
        &self,
        operation: &'static str,
        command: &Cmd,
    ) -> Result<T, Error> {
        let permit = self.breaker.ask()?;
        let span = span(operation);
        let mut connection = self.connection.clone();
        let asked = timeout(self.limit, command.query_async(&mut connection)).await;
        let answer = match asked {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Error::new(Kind::Unavailable, "redis").source(error)),
            Err(_) => Err(Error::new(Kind::DeadlineExceeded, "redis did not answer in time")),
        };
        if answer.is_ok() {
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

/// Only within a recorded trace, as the database's.
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
