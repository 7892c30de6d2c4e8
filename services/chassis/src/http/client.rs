//! The calling side, for the HTTP APIs of third parties.

use std::time::Duration;

use http::{Method, StatusCode};
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanKind, Status, TraceContextExt, Tracer},
};
use serde::{Deserializer, Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use crate::{
    Error, Kind,
    breaker::{self, Breaker},
    config::SecretUrl,
    deadline,
    metrics::{HistogramVec, Registry},
    telemetry,
};

crate::metrics! {
    /// Requests made.
    pub(crate) struct Metrics in "" {
        /// Seconds from a request's start to the end of its answer; each attempt is a request.
        http_client_request_duration_seconds: HistogramVec["http_request_method", "server_address", "http_response_status_code", "error_type"],
    }
}

/// The limit of an answer in bytes, many times the longest that we expect: answers are kept in memory.
const LONGEST: usize = 256 * 1024;

/// A client of one third party.
#[derive(Clone)]
pub struct Client {
    client: reqwest::Client,
    base: SecretUrl,
    /// The base URL without credentials.
    shown: String,
    peer: &'static str,
    limit: Duration,
    breaker: Breaker,
    metrics: Metrics,
}

/// The third party's answer.
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
    /// The body is not JSON, or not of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Error::new(Kind::Internal, "the third party's answer cannot be read").source(error)
        })
    }
}

impl Client {
    pub(crate) fn new(
        peer: &'static str,
        base: &SecretUrl,
        limit: Duration,
        breaker: Breaker,
        metrics: Metrics,
    ) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let base = base.expose().trim_end_matches('/');
        let (shown, base) = (without_user(base)?, SecretUrl::from(base));
        Ok(Self { client, base, shown, peer, limit, breaker, metrics })
    }

    /// A client that belongs to no [`App`](crate::App): for tests of a service's use cases.
    ///
    /// # Errors
    /// As [`App::http_client`](crate::App::http_client).
    pub fn for_tests(
        peer: &'static str,
        base: &str,
        limit: Duration,
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        let breaker = Breaker::new(peer, registry, &breaker::Metrics::register(registry)?);
        Self::new(peer, &base.into(), limit, breaker, Metrics::register(registry)?)
    }

    /// Sends JSON once. The caller decides about a retry; `idempotency_key` makes it harmless.
    ///
    /// # Errors
    /// [`Kind::DeadlineExceeded`] without an answer in time; [`Kind::Unavailable`] if the server cannot be reached or the
    /// answer is too long, and, with a time to wait, if the circuit breaker is open.
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
            KeyValue::new("url.full", format!("{}{path}", self.shown)),
            KeyValue::new("server.address", self.peer),
        ]);
        let context = parent.with_span(builder.start_with_context(tracer, &parent));
        let mut request = self
            .client
            .request(Method::POST, format!("{}{path}", self.base.expose()))
            .header("idempotency-key", idempotency_key)
            .json(body)
            .build()
            .map_err(|error| {
                Error::new(Kind::Internal, "the request cannot be written")
                    .source(error.without_url())
            })?;
        telemetry::inject(&context, request.headers_mut());
        let exchange = Exchange::start(context, self.peer, &self.metrics);
        let result = match deadline::within(self.limit, self.send(request)).await {
            Ok(result) => result,
            Err(late) => Err(late),
        };
        exchange.finish(&result);
        match &result {
            Ok(answer) if !answer.status.is_server_error() => permit.succeeded(),
            _ => permit.failed(),
        }
        result
    }

    async fn send(&self, request: reqwest::Request) -> Result<Answer, Error> {
        let failed = |cause: reqwest::Error| {
            Error::new(Kind::Unavailable, "the third party cannot be reached")
                .source(cause.without_url())
        };
        let mut response = self.client.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LONGEST {
                let what = format!("the third party's answer is longer than {LONGEST} bytes");
                return Err(Error::new(Kind::Unavailable, what));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), body })
    }
}

/// Reads the base URL of a server for a setting: `#[serde(deserialize_with = "base_url")]`.
///
/// # Errors
/// The text is not the base URL of a server.
pub fn base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretUrl, D::Error> {
    SecretUrl::checked(deserializer, |text| {
        let expected = "expected http://host:port";
        let wrong = |why: &str| Err(format!("not the base URL of a server: {why}; {expected}"));
        let Ok(url) = text.parse::<reqwest::Url>() else { return wrong("it cannot be read") };
        match url.scheme() {
            _ if url.query().is_some() || url.fragment().is_some() => {
                wrong("paths are put at its end, so it has no parameters")
            }
            "http" => Ok(()),
            "https" => wrong("TLS is not spoken to third parties, put a proxy in between"),
            _ => wrong("its scheme is not spoken here"),
        }
    })
}

/// A URL as spans may carry it: <https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/>
fn without_user(base: &str) -> anyhow::Result<String> {
    let mut url: reqwest::Url = base.parse()?;
    // Both fail only for URLs without a host, which a server's URL has.
    url.set_username("").ok();
    url.set_password(None).ok();
    url.set_query(None);
    url.set_fragment(None);
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The telemetry of one request; a request that is dropped before its end counts as cancelled.
struct Exchange {
    context: Context,
    peer: &'static str,
    started: Instant,
    durations: HistogramVec,
    done: bool,
}

impl Exchange {
    fn start(context: Context, peer: &'static str, metrics: &Metrics) -> Self {
        let durations = metrics.http_client_request_duration_seconds.clone();
        Self { context, peer, started: Instant::now(), durations, done: false }
    }

    fn finish(mut self, result: &Result<Answer, Error>) {
        match result {
            Ok(answer) if answer.status.is_server_error() => {
                self.end(Some(answer.status), answer.status.as_str());
            }
            Ok(answer) => self.end(Some(answer.status), ""),
            Err(error) => self.end(None, error.kind().label()),
        }
    }

    /// <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpclientrequestduration>
    fn end(&mut self, status: Option<StatusCode>, error: &str) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let span = self.context.span();
        let word = status.as_ref().map_or("", StatusCode::as_str);
        let attached = self.context.clone().attach();
        self.durations
            .with(&["POST", self.peer, word, error])
            .observe(self.started.elapsed().as_secs_f64());
        drop(attached);
        if let Some(status) = status {
            let code = i64::from(status.as_u16());
            span.set_attribute(KeyValue::new("http.response.status_code", code));
        }
        if !error.is_empty() {
            span.set_attribute(KeyValue::new("error.type", error.to_owned()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end(None, Kind::Cancelled.label());
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::post};
    use tokio::{net::TcpListener, task::JoinSet};

    use super::*;

    async fn third_party(servers: &mut JoinSet<()>) -> (Client, Registry) {
        let router = Router::new()
            .route("/silent", post(std::future::pending::<&str>))
            .route(
                "/endless",
                post(async || {
                    Body::from_stream(futures::stream::repeat_with(|| {
                        Ok::<_, std::convert::Infallible>("x".repeat(1000))
                    }))
                }),
            )
            .route("/fine", post(async || "{}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        servers.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let registry = Registry::new();
        let client = Client::for_tests("bank", &base, Duration::from_secs(10), &registry).unwrap();
        (client, registry)
    }

    fn counted(registry: &Registry, status: &str, error: &str) -> bool {
        let line = format!(
            "http_client_request_duration_seconds_count{{error_type=\"{error}\",http_request_method=\"POST\",http_response_status_code=\"{status}\",server_address=\"bank\"}} 1"
        );
        registry.text().contains(&line)
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut_off() {
        let mut servers = JoinSet::new();
        let (client, registry) = third_party(&mut servers).await;
        let error = client.post("/endless", "k", &()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(counted(&registry, "", Kind::Unavailable.label()), "{}", registry.text());
    }

    #[tokio::test]
    async fn a_call_that_its_caller_gives_up_counts_as_cancelled() {
        let mut servers = JoinSet::new();
        let (client, registry) = third_party(&mut servers).await;
        {
            let call = client.post("/silent", "k", &());
            let given_up = tokio::time::timeout(Duration::from_millis(50), call).await;
            assert!(given_up.is_err());
        }
        assert!(counted(&registry, "", Kind::Cancelled.label()), "{}", registry.text());
        client.post("/fine", "k", &()).await.unwrap();
        assert!(counted(&registry, "200", ""), "{}", registry.text());
    }

    /// Credentials appear neither in the span nor in the logged errors.
    #[tokio::test]
    async fn a_request_does_not_show_by_what_it_was_let_in() {
        let base = "http://ada:hunter2@127.0.0.1:1/v1/";
        let client =
            Client::for_tests("bank", base, Duration::from_secs(10), &Registry::new()).unwrap();
        assert_eq!(client.shown, "http://127.0.0.1:1/v1");
        let error = client.post("/charges", "k", &()).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("ada"), "{shown}");
        assert_eq!(without_user("http://pay?key=hunter2#x").unwrap(), "http://pay");
    }
}
