//! The serving side: reads context and deadline, makes span and metrics.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use futures::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use opentelemetry::{
    KeyValue,
    trace::{FutureExt as _, SpanKind, TraceContextExt, Tracer},
};
use tokio::{sync::Semaphore, time::Instant};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};

use super::{
    call::{Answer, Call, status},
    is_bidirectional, is_untraced,
};
use crate::{
    Error, Kind, deadline,
    metrics::IntCounter,
    server::arrival::{ARRIVAL, Arrivals, Missing},
    telemetry,
};

crate::metrics! {
    /// Calls served.
    pub(crate) struct Metrics in "" {
        /// Seconds from a call's arrival to the end of its answer.
        rpc_server_call_duration_seconds: HistogramVec["rpc_system_name", "rpc_method", "rpc_response_status_code"],
        /// Calls being served.
        rpc_server_active_requests: IntGauge,
    }
}

/// The time limit of a call without a deadline: a caller that sets none does not wait longer than a minute.
const LONGEST: Duration = Duration::from_secs(60);

/// The part of the caller's deadline that is left for the answer's way back. So our answer, which says what happened, arrives
/// before the transport cuts the call off.
const TRAVEL: Duration = Duration::from_millis(10);

/// Wraps all calls that a port serves.
#[derive(Clone)]
pub(crate) struct Edge {
    metrics: Metrics,
    panics: IntCounter,
    /// One permit for each call that may be in flight.
    in_flight: Arc<Semaphore>,
    arrivals: Arrivals,
    message_limit: usize,
}

/// With the memory that each call takes, they fit into a process of 32 MiB; it is better to refuse a call than to let it wait
/// for so many others.
const IN_FLIGHT: usize = 256;
/// The memory for messages that are arriving, in bytes.
const ARRIVING: usize = 8 << 20;
/// The default limit of a message, for servers of tests.
const MESSAGE: usize = 1 << 20;

impl Edge {
    pub(crate) fn new(metrics: Metrics, panics: IntCounter) -> Self {
        Self {
            metrics,
            panics,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
            arrivals: Arrivals::new(ARRIVING),
            message_limit: MESSAGE,
        }
    }

    /// The same edge with this limit of a message, in bytes.
    pub(super) fn taking(self, message_limit: usize) -> Self {
        let arrivals = Arrivals::new(ARRIVING.max(2 * message_limit));
        Self { arrivals, message_limit, ..self }
    }

    /// Reads the call's message: every call of our contracts begins with one, and a message that arrives slowly must not take
    /// the place of a call that can be answered.
    async fn arrived(
        &self,
        request: Request<Body>,
        until: Instant,
    ) -> Result<Request<Body>, Error> {
        let (parts, body) = request.into_parts();
        let message = match self.arrivals.read(body, self.message_limit, until).await {
            Ok(message) if message.len() <= self.message_limit => message,
            Ok(_) => {
                let text = format!("the message is larger than {} bytes", self.message_limit);
                return Err(Error::new(Kind::Invalid, text).reason("MESSAGE_TOO_LARGE"));
            }
            Err(Missing::Late) => {
                return Err(Error::new(
                    Kind::DeadlineExceeded,
                    "the message did not arrive in time",
                ));
            }
            Err(Missing::Crowded) => {
                let text =
                    "the message arrives more slowly than others, for which there is no room";
                return Err(Error::new(Kind::Unavailable, text).reason("OVERLOADED"));
            }
            Err(Missing::Broken) => {
                return Err(Error::new(Kind::Cancelled, "the message ended early"));
            }
        };
        Ok(Request::from_parts(parts, Body::new(Full::new(message))))
    }

    fn full() -> Error {
        let text = format!("{IN_FLIGHT} calls are being answered, and no more fit in");
        Error::new(Kind::Unavailable, text).reason("OVERLOADED")
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
        // The clone replaces the service that was polled ready.
        let fresh = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, fresh);
        let path = request.uri().path();
        if is_bidirectional(path) {
            return Box::pin(ready.call(request));
        }
        if is_untraced(path) {
            let edge = self.edge.clone();
            return Box::pin(async move {
                match edge.arrived(request, Instant::now() + ARRIVAL).await {
                    Ok(request) => ready.call(request).await,
                    Err(error) => Ok(Status::from(error).into_http()),
                }
            });
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
    let asked = request.headers().get("grpc-timeout");
    let asked = asked.and_then(|value| budget(value.to_str().ok()?));
    let limit = asked.map_or(LONGEST, |budget| budget.saturating_sub(TRAVEL));
    let until = Instant::now() + limit;
    let answer = async {
        let request = edge.arrived(request, until.min(Instant::now() + ARRIVAL)).await?;
        let _place = edge.in_flight.try_acquire().map_err(|_| Edge::full())?;
        Ok(std::panic::AssertUnwindSafe(inner.call(request)).catch_unwind().await)
    };
    let response = match deadline::within(limit, answer.with_context(context)).await.flatten() {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(error))) => {
            call.finish(Code::Internal);
            return Err(error);
        }
        Ok(Err(_panic)) => {
            edge.panics.inc();
            Status::from(Error::new(Kind::Internal, "panicked")).into_http()
        }
        Err(error) => Status::from(error).into_http(),
    };
    if let Some(code) = status(response.headers()) {
        call.finish(code);
        return Ok(response);
    }
    // Without a deadline, the caller may read a stream at its own pace.
    let until = asked.map(|_| until);
    Ok(response.map(|body| Body::new(Answer::new(body, call, until))))
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
