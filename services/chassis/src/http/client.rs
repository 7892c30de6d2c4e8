//! The calling side: for third parties that speak HTTP.

use std::time::Duration;

use http::{Method, StatusCode};
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanKind, Status, TraceContextExt, Tracer},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use crate::{
    Error, Kind,
    breaker::{self, Breaker},
    deadline,
    metrics::Registry,
    telemetry,
};

crate::metrics! {
    /// Requests made.
    pub(crate) struct Metrics in "" {
        /// Seconds from a request's start to the end of its answer; each attempt is a request.
        http_client_request_duration_seconds: HistogramVec["http_request_method", "server_address", "http_response_status_code"],
    }
}

/// Calls one third party.
#[derive(Clone)]
pub struct Client {
    client: reqwest::Client,
    base: String,
    peer: &'static str,
    limit: Duration,
    breaker: Breaker,
    metrics: Metrics,
}

/// What the third party said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is none, or not of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Error::new(Kind::Internal, "the third party's answer cannot be read").source(error)
        })
    }
}

impl Client {
    pub(crate) fn new(
        peer: &'static str,
        base: &str,
        limit: Duration,
        breaker: Breaker,
        metrics: Metrics,
    ) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { client, base, peer, limit, breaker, metrics })
    }

    /// A client that belongs to no [`App`](crate::App): for tests of what a service does with one.
    ///
    /// # Errors
    /// As [`App::http_client`](crate::App::http_client).
    pub fn alone(
        peer: &'static str,
        base: &str,
        limit: Duration,
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        let breaker = Breaker::new(peer, registry, &breaker::Metrics::register(registry)?);
        Self::new(peer, base, limit, breaker, Metrics::register(registry)?)
    }

    /// Sends JSON once; repeating is the caller's decision, and `idempotency_key` what makes it harmless.
    ///
    /// # Errors
    /// [`Kind::DeadlineExceeded`] without an answer in time, [`Kind::Unavailable`] if nobody can be reached, and, postponed,
    /// if the breaker is open.
    pub async fn post(
        &self,
        path: &str,
        idempotency_key: &str,
        body: &impl Serialize,
    ) -> Result<Answer, Error> {
        let permit = self.breaker.ask()?;
        let (tracer, parent) = (telemetry::tracer(), Context::current());
        let builder = tracer.span_builder("POST").with_kind(SpanKind::Client).with_attributes([
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("url.full", format!("{}{path}", self.base)),
            KeyValue::new("server.address", self.peer),
        ]);
        let context = parent.with_span(builder.start_with_context(tracer, &parent));
        let mut request = self
            .client
            .request(Method::POST, format!("{}{path}", self.base))
            .header("idempotency-key", idempotency_key)
            .json(body)
            .build()
            .map_err(|error| {
                Error::new(Kind::Internal, "the request cannot be written").source(error)
            })?;
        telemetry::inject(&context, request.headers_mut());
        let started = Instant::now();
        let sent = async {
            let response = self.client.execute(request).await?;
            let status = response.status();
            Ok::<_, reqwest::Error>(Answer { status, body: response.bytes().await?.into() })
        };
        let result = match deadline::within(self.limit, sent).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(cause)) => {
                Err(Error::new(Kind::Unavailable, "the third party cannot be reached")
                    .source(cause))
            }
            Err(late) => Err(late),
        };
        self.record(&context, started, &result);
        match &result {
            Ok(answer) if !answer.status.is_server_error() => permit.succeeded(),
            _ => permit.failed(),
        }
        result
    }

    fn record(&self, context: &Context, started: Instant, result: &Result<Answer, Error>) {
        let attached = context.clone().attach();
        let status = result.as_ref().map_or("", |answer| answer.status.as_str());
        self.metrics
            .http_client_request_duration_seconds
            .with(&["POST", self.peer, status])
            .observe(started.elapsed().as_secs_f64());
        drop(attached);
        let span = context.span();
        let error = match result {
            Ok(answer) => {
                span.set_attribute(KeyValue::new(
                    "http.response.status_code",
                    i64::from(answer.status.as_u16()),
                ));
                answer.status.is_server_error().then(|| answer.status.as_str().to_owned())
            }
            Err(error) => Some(error.kind().label().to_owned()),
        };
        if let Some(word) = error {
            span.set_attribute(KeyValue::new("error.type", word));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}
