//! The serving side: context and deadline in, span and metrics out.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll},
    time::Duration,
};

use futures::FutureExt;
use http::{Request, Response};
use opentelemetry::{
    KeyValue,
    trace::{FutureExt as _, SpanKind, TraceContextExt, Tracer},
};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};

use super::{
    call::{Answer, Call, status},
    is_machinery,
};
use crate::{deadline, metrics::IntCounter, telemetry};

crate::metrics! {
    /// Calls served.
    pub(crate) struct Metrics in "" {
        /// Seconds from a call's arrival to the end of its answer.
        rpc_server_call_duration_seconds: HistogramVec["rpc_system_name", "rpc_method", "rpc_response_status_code"],
        /// Calls being served.
        rpc_server_active_requests: IntGauge,
    }
}

/// The longest that a call may take whose caller set no deadline: nobody waits for a minute.
const LONGEST: Duration = Duration::from_secs(60);

/// What remains of a budget for the answer's way back; it also lets our answer, which says what happened, come before the
/// transport's, which only cuts the call off.
const TRAVEL: Duration = Duration::from_millis(10);

/// Wraps every served call.
#[derive(Clone)]
pub(crate) struct Edge {
    metrics: Metrics,
    panics: IntCounter,
}

impl Edge {
    pub(crate) fn new(metrics: Metrics, panics: IntCounter) -> Self {
        Self { metrics, panics }
    }
}

impl<S> Layer<S> for Edge {
    type Service = Served<S>;

    fn layer(&self, inner: S) -> Served<S> {
        Served { inner, edge: self.clone() }
    }
}

/// A service behind the edge.
#[derive(Clone)]
pub(crate) struct Served<S> {
    inner: S,
    edge: Edge,
}

impl<S> Service<Request<Body>> for Served<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone takes the place of the one that was polled ready.
        let fresh = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, fresh);
        if is_machinery(request.uri().path()) {
            return Box::pin(ready.call(request));
        }
        Box::pin(serve(ready, self.edge.clone(), request))
    }
}

async fn serve<S>(
    mut inner: S,
    edge: Edge,
    request: Request<Body>,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    let method = request.uri().path().trim_start_matches('/').to_owned();
    let parent = telemetry::extract(request.headers());
    let tracer = telemetry::tracer();
    let span = tracer
        .span_builder(method.clone())
        .with_kind(SpanKind::Server)
        .with_attributes([
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method.clone()),
        ])
        .start_with_context(tracer, &parent);
    let context = parent.with_span(span);
    let (durations, active) =
        (&edge.metrics.rpc_server_call_duration_seconds, &edge.metrics.rpc_server_active_requests);
    let mut call = Call::start(context.clone(), method, durations, active, true);
    let limit = request
        .headers()
        .get("grpc-timeout")
        .and_then(|value| budget(value.to_str().ok()?))
        .map(|budget| budget.saturating_sub(TRAVEL))
        .unwrap_or(LONGEST);
    let caught = std::panic::AssertUnwindSafe(inner.call(request)).catch_unwind();
    let response = match deadline::within(limit, caught.with_context(context)).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(error))) => {
            call.finish(Code::Internal);
            return Err(error);
        }
        Ok(Err(_panic)) => {
            edge.panics.inc();
            Status::from(crate::Error::new(crate::Kind::Internal, "panicked")).into_http()
        }
        Err(late) => Status::from(late).into_http(),
    };
    if let Some(code) = status(response.headers()) {
        call.finish(code);
        return Ok(response);
    }
    Ok(response.map(|body| Body::new(Answer::new(body, call))))
}

/// `grpc-timeout`: up to eight digits and a unit.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
fn budget(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount.checked_mul(3600)?),
        "M" => Duration::from_secs(amount.checked_mul(60)?),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_digits_and_a_unit() {
        assert_eq!(budget("250m"), Some(Duration::from_millis(250)));
        assert_eq!(budget("2S"), Some(Duration::from_secs(2)));
        for bad in ["", "S", "12", "é", "1x"] {
            assert_eq!(budget(bad), None, "{bad}");
        }
    }
}
