//! The serving side: context in, span, metrics, `traceresponse` and deadline; panics and unknown paths become problem
//! documents.

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use http::{HeaderValue, Method, StatusCode, header};
use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt as _, SpanKind, Status, TraceContextExt, Tracer},
};
use tokio::{sync::Semaphore, time::Instant};

use super::{Known, Options, Problem, Requests, cors, plain::as_problem, requests::is_one_of};
use crate::{
    Error, Kind, deadline,
    metrics::{IntCounter, Registry},
    server::arrival::{ARRIVAL, Arrivals, Missing},
    telemetry,
    text::printable,
};

crate::metrics! {
    /// Requests served.
    pub(crate) struct Metrics in "" {
        /// Seconds from a request's arrival to the beginning of its answer.
        http_server_request_duration_seconds: HistogramVec["http_request_method", "http_route", "http_response_status_code"],
        /// Requests being served.
        http_server_active_requests: IntGauge,
        /// Requests that were not answered in time.
        mesh_deadline_exceeded_total: IntCounter,
    }
}

/// The edge around routers.
#[derive(Clone)]
pub struct Edge {
    metrics: Metrics,
    panics: IntCounter,
    options: Options,
    /// One permit for each request that may be in flight.
    in_flight: Arc<Semaphore>,
    /// The same for the requests with places of their own.
    reserved: Arc<Semaphore>,
    arrivals: Arrivals,
}

/// The memory for bodies that are arriving, in bytes: 64 requests of 64 KiB each.
const ARRIVING: usize = 4 << 20;
/// The limit of path and query, in bytes: no path served here is as long.
const LONGEST_TARGET: usize = 8 * 1024;

impl Edge {
    pub(crate) fn new(metrics: Metrics, panics: IntCounter, options: Options) -> Self {
        let durations = &metrics.http_server_request_duration_seconds;
        for Known { method, route, status } in &options.answers {
            durations.with(&[method, route, status.as_str()]);
        }
        let in_flight = Arc::new(Semaphore::new(options.in_flight));
        let reserved = Arc::new(Semaphore::new(options.reserved_in_flight));
        let arrivals = Arrivals::new(ARRIVING.max(2 * options.body_limit));
        Self { metrics, panics, options, in_flight, reserved, arrivals }
    }

    /// An edge that belongs to no [`App`](crate::App): for tests of a service's routes.
    ///
    /// # Errors
    /// The registry already has these metrics.
    pub fn for_tests(registry: &Registry, options: Options) -> anyhow::Result<Self> {
        let panics = registry.register("mesh_panics_total", "Panics that were caught.", &[])?;
        Ok(Self::new(Metrics::register(registry)?, panics, options))
    }

    /// The router behind the edge, with problem documents for unknown paths and methods.
    pub fn around(self, router: Router) -> Router {
        let limit = DefaultBodyLimit::max(self.options.body_limit);
        let guard = self.options.guard.clone();
        let router = router
            .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "not-found", "no such path") })
            .method_not_allowed_fallback(|method: Method| async move {
                let detail = format!("{method} is not a method of this path; see the header allow");
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
            })
            .layer(limit);
        // The guard is inside of the edge, so that refused requests are measured and traced as well.
        let router = match guard {
            Some(guard) => guard.clone().around(cors::around(router, guard)),
            None => router,
        };
        router.layer(middleware::from_fn_with_state(Arc::new(self), serve))
    }
}

async fn serve(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    if is_one_of(&request, &edge.options.passed_on) {
        return next.run(request).await;
    }
    let exchange = Exchange::start(&edge, &request);
    let context = exchange.context.clone();
    let answered = async { edge.place(request, next).await.unwrap_or_else(Problem::into_response) };
    let mut response = answered.with_context(context.clone()).await;
    if let Some(value) = traceresponse(&context) {
        response.headers_mut().insert("traceresponse", value);
    }
    exchange.finish(response.status());
    response
}

impl Edge {
    /// Answers the request if it arrives, and if there is a place for it.
    async fn place(&self, request: Request, next: Next) -> Result<Response, Problem> {
        let is_reserved = is_one_of(&request, &self.options.reserved);
        let (places, most) = if is_reserved {
            (&self.reserved, self.options.reserved_in_flight)
        } else {
            (&self.in_flight, self.options.in_flight)
        };
        let request = self.arrived(request).await?;
        let _place = places.try_acquire().map_err(|_| full(most))?;
        Ok(self.answer(request, next).await)
    }

    /// Reads the request's body. A body that is too large is left to the handler, which refuses it in its own words.
    async fn arrived(&self, request: Request) -> Result<Request, Problem> {
        let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        if target > LONGEST_TARGET {
            let detail = format!(
                "the path and query have {target} bytes; expected at most {LONGEST_TARGET}"
            );
            return Err(Problem::new(StatusCode::URI_TOO_LONG, "uri-too-long", detail));
        }
        let (parts, body) = request.into_parts();
        let read = self.arrivals.read(body, self.options.body_limit, Instant::now() + ARRIVAL);
        match read.await {
            Ok(body) => Ok(Request::from_parts(parts, body.into())),
            Err(Missing::Late) => {
                let detail = format!("the body did not arrive within {} s", ARRIVAL.as_secs());
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request-timeout", detail))
            }
            Err(Missing::Crowded) => {
                let detail = "the body arrives more slowly than others, for which there is no room";
                Err(Problem::from(Error::new(Kind::Unavailable, detail).reason("OVERLOADED")))
            }
            Err(Missing::Broken) => {
                let detail = "the body ended early, or is not framed as the headers say";
                Err(Problem::new(StatusCode::BAD_REQUEST, "incomplete-body", detail))
            }
        }
    }

    async fn answer(&self, request: Request, next: Next) -> Response {
        let is_unhurried = is_one_of(&request, &self.options.unhurried);
        let caught = AssertUnwindSafe(next.run(request)).catch_unwind();
        let answer = if is_unhurried {
            Ok(caught.await)
        } else {
            deadline::within(self.options.limit, caught).await
        };
        match answer {
            Ok(Ok(response)) => as_problem(response).await,
            Ok(Err(_panic)) => {
                self.panics.inc();
                Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "an unexpected error; see the trace",
                )
                .into_response()
            }
            Err(late) => {
                self.metrics.mesh_deadline_exceeded_total.inc();
                Problem::from(late).into_response()
            }
        }
    }
}

/// The refusal if too many requests are in flight: it costs next to nothing, but waiting requests would take memory until the
/// process is killed.
fn full(most: usize) -> Problem {
    let detail = format!("{most} requests are being answered, and no more fit in");
    Error::new(Kind::Unavailable, detail).reason("OVERLOADED").into()
}

/// The telemetry of one request; if it is dropped early, the client went away.
struct Exchange {
    /// Without a span if the request is not traced.
    context: Context,
    method: &'static str,
    route: String,
    started: Instant,
    /// `None` if the request is not measured.
    metrics: Option<Metrics>,
    done: bool,
}

/// The status that is counted if the client goes away before the answer, as nginx counts it.
const CLIENT_CLOSED_REQUEST: StatusCode = match StatusCode::from_u16(499) {
    Ok(status) => status,
    Err(_) => StatusCode::BAD_REQUEST,
};

/// The most characters of a text from the client, such as its user agent, in a span.
const LONGEST_ATTRIBUTE: usize = 256;

impl Exchange {
    fn start(edge: &Edge, request: &Request) -> Self {
        let is = |some: &[Requests]| is_one_of(request, some);
        let method = method(request.method());
        let route =
            request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
        let context = if is(&edge.options.untraced) {
            Context::new()
        } else {
            traced(request, method, &route)
        };
        let metrics = (!is(&edge.options.unmeasured)).then(|| edge.metrics.clone());
        if let Some(metrics) = &metrics {
            metrics.http_server_active_requests.inc();
        }
        Self { context, method, route, started: Instant::now(), metrics, done: false }
    }

    fn finish(mut self, status: StatusCode) {
        self.end(status);
    }

    fn end(&mut self, status: StatusCode) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let elapsed = self.started.elapsed();
        let attached = self.context.clone().attach();
        if let Some(metrics) = &self.metrics {
            metrics.http_server_active_requests.dec();
            metrics
                .http_server_request_duration_seconds
                .with(&[self.method, &self.route, status.as_str()])
                .observe(elapsed.as_secs_f64());
        }
        if self.context.has_active_span() {
            tracing::debug!(
                http.request.method = self.method,
                http.route = self.route,
                http.response.status_code = status.as_u16(),
                duration_ms = elapsed.as_secs_f64() * 1e3,
                "request answered"
            );
        }
        drop(attached);
        let span = self.context.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if status.is_server_error() {
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end(CLIENT_CLOSED_REQUEST);
    }
}

/// The context of a new span for the request; its parent is the caller's span, if the request names one.
fn traced(request: &Request, method: &'static str, route: &str) -> Context {
    let name = if route.is_empty() { method.to_owned() } else { format!("{method} {route}") };
    let mut attributes = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("url.path", printable(request.uri().path(), LONGEST_ATTRIBUTE)),
        KeyValue::new("url.scheme", "http"),
    ];
    if !route.is_empty() {
        attributes.push(KeyValue::new("http.route", route.to_owned()));
    }
    let agent = request.headers().get(header::USER_AGENT);
    if let Some(agent) = agent.and_then(|agent| agent.to_str().ok()) {
        let agent = printable(agent, LONGEST_ATTRIBUTE);
        attributes.push(KeyValue::new("user_agent.original", agent));
    }
    let (tracer, parent) = (telemetry::tracer(), telemetry::extract(request.headers()));
    let builder = tracer.span_builder(name).with_kind(SpanKind::Server).with_attributes(attributes);
    parent.with_span(builder.start_with_context(tracer, &parent))
}

/// The method if it is known, else `_OTHER`, as the semantic conventions demand.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

/// <https://www.w3.org/TR/trace-context-2/#traceresponse-header>
fn traceresponse(context: &Context) -> Option<HeaderValue> {
    let span = context.span();
    let span = span.span_context();
    let value = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags());
    if span.is_valid() { HeaderValue::try_from(value).ok() } else { None }
}
