//! The calling side: a deadline for every call, a span for every attempt, retries only for idempotent calls.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, request::Parts};
use http_body_util::{BodyExt, Full};
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanKind, TraceContextExt, Tracer},
};
use tokio::time::sleep;
use tonic::{Code, Status, body::Body};
use tower::{
    Service, ServiceExt,
    retry::budget::{Budget, TpsBudget},
};

use super::{
    Endpoints,
    call::{Answer, Call, status},
};
use crate::{Error, Kind, deadline, metrics::Registry, retry::Backoff, telemetry};

crate::metrics! {
    /// Calls made.
    pub(crate) struct Metrics in "" {
        /// Seconds from a call's start to the end of its answer; each attempt is a call.
        rpc_client_call_duration_seconds: HistogramVec["rpc_system_name", "rpc_method", "rpc_response_status_code"],
        /// Calls waiting for an answer.
        rpc_client_active_requests: IntGauge,
        /// Attempts beyond the first.
        mesh_rpc_retries_total: IntCounter,
        /// Calls that were not retried because the retry budget was used up.
        mesh_retry_budget_exhausted_total: IntCounter,
    }
}

/// The time limit of a call that has no deadline from a request.
const DEFAULT_LIMIT: Duration = Duration::from_secs(10);

/// The longest wait before the second attempt of an idempotent call; it doubles with each attempt.
const FIRST_WAIT: Duration = Duration::from_millis(25);
const LONGEST_WAIT: Duration = Duration::from_millis(400);

/// The most by which two timers for the same moment differ.
const TICK: Duration = Duration::from_millis(5);

/// A channel to all replicas of one service. The generated clients of `tonic` take it.
///
/// ```no_run
/// use chassis::{App, grpc::Endpoints};
/// use tonic_health::pb::health_client::HealthClient;
///
/// fn wire(app: &mut App) -> anyhow::Result<()> {
///     let channel = app.channel(&Endpoints::local(9090))?.idempotent();
///     let client = HealthClient::new(channel);
///     # drop(client);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Channel {
    inner: tonic::transport::Channel,
    metrics: Metrics,
    budget: Option<Arc<TpsBudget>>,
}

impl Channel {
    pub(super) fn new(inner: tonic::transport::Channel, metrics: Metrics) -> Self {
        Self { inner, metrics, budget: None }
    }

    /// A channel that belongs to no [`App`](crate::App): for tests of a service's use cases. The future keeps the replicas up
    /// to date; it must run as long as the channel is used.
    ///
    /// # Errors
    /// The registry already has these metrics.
    pub fn for_tests(
        endpoints: &Endpoints,
        registry: &Registry,
    ) -> anyhow::Result<(Self, impl Future<Output = ()> + Send + use<>)> {
        Ok(super::connect(endpoints, Metrics::register(registry)?))
    }

    /// The same channel for idempotent calls: on `UNAVAILABLE` they are retried until their deadline.
    ///
    /// Retries are limited to a fifth of all calls (plus ten a second), so that they do not overload a service that is
    /// recovering.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.budget = Some(Arc::new(TpsBudget::new(Duration::from_secs(10), 10, 0.2)));
        self
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    // Waiting for a connection counts as time of the call, so it happens in `call`.
    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let channel = self.clone();
        let limit = deadline::remaining().unwrap_or(DEFAULT_LIMIT);
        let parent = Context::current();
        Box::pin(async move {
            let attempts = async {
                match &channel.budget {
                    None => {
                        let (parts, body) = request.into_parts();
                        channel.attempt(&parent, parts, body).await
                    }
                    Some(budget) => channel.repeat(&parent, budget, request).await,
                }
            };
            // The spans of the attempts end when the attempts are dropped here.
            deadline::within(limit, attempts).await.map_err(Status::from)?
        })
    }
}

impl Channel {
    async fn repeat(
        &self,
        parent: &Context,
        budget: &TpsBudget,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        budget.deposit();
        loop {
            let response =
                self.attempt(parent, parts.clone(), Body::new(Full::new(body.clone()))).await?;
            if status(response.headers()) != Some(Code::Unavailable) {
                return Ok(response);
            }
            if !budget.withdraw() {
                self.metrics.mesh_retry_budget_exhausted_total.inc();
                return Ok(response);
            }
            let wait = backoff.next_wait();
            // The attempt's error says more than that the time ran out.
            if deadline::remaining().is_some_and(|left| left <= wait) {
                return Ok(response);
            }
            self.metrics.mesh_rpc_retries_total.inc();
            sleep(wait).await;
        }
    }

    async fn attempt<B>(
        &self,
        parent: &Context,
        parts: Parts,
        body: B,
    ) -> Result<Response<Body>, Status>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let method = parts.uri.path().trim_start_matches('/').to_owned();
        let tracer = telemetry::tracer();
        let span = tracer
            .span_builder(method.clone())
            .with_kind(SpanKind::Client)
            .with_attributes([
                KeyValue::new("rpc.system.name", "grpc"),
                KeyValue::new("rpc.method", method.clone()),
            ])
            .start_with_context(tracer, parent);
        let context = parent.with_span(span);
        let (durations, active) = (
            &self.metrics.rpc_client_call_duration_seconds,
            &self.metrics.rpc_client_active_requests,
        );
        let mut call = Call::start(context.clone(), method, durations, active, false);
        let mut request = Request::from_parts(parts, Body::new(body));
        telemetry::inject(&context, request.headers_mut());
        send_budget(request.headers_mut());
        let mut inner = self.inner.clone();
        let sent = async { inner.ready().await?.call(request).await };
        let response = match sent.await {
            Ok(response) => response,
            Err(cause) => {
                // The transport also ends a call at its `grpc-timeout`, possibly slightly earlier than this deadline.
                let late = deadline::remaining().is_some_and(|left| left < TICK);
                let (kind, message) = match late {
                    true => (Kind::DeadlineExceeded, "the time ran out"),
                    false => (Kind::Unavailable, "the service cannot be reached"),
                };
                call.finish(kind.code());
                return Ok(Status::from(Error::new(kind, message).source(cause)).into_http());
            }
        };
        if let Some(code) = status(response.headers()) {
            call.finish(code);
            return Ok(response);
        }
        Ok(response.map(|body| Body::new(Answer::new(body, call, None))))
    }
}

/// Sends the remaining time in milliseconds, at least 1, since 0 is not allowed.
fn send_budget(headers: &mut HeaderMap) {
    let remaining = deadline::remaining().unwrap_or(DEFAULT_LIMIT);
    let millis = remaining.as_millis().clamp(1, 99_999_999);
    if let Ok(value) = HeaderValue::try_from(format!("{millis}m")) {
        headers.insert("grpc-timeout", value);
    }
}
