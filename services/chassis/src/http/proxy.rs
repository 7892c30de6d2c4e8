//! A reverse proxy: requests below a prefix are passed on to another HTTP server unchanged, and so are its answers.
//!
//! Bodies are streamed both ways, whatever their size; the number of concurrent requests is limited. Headers of one connection
//! are not passed on, and only this proxy sets the headers about the client's address and the requested name. A path is refused
//! if some server could decode it to one outside of the prefix. WebSockets are not passed on.

mod path;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Problem;
use crate::{Error, Kind};

/// The time limit to connect: the server is in the same cluster, or on this machine.
const CONNECT: Duration = Duration::from_secs(2);
/// The longest wait for the next bytes of an answer: a query of a month's metrics may take as long.
const SILENCE: Duration = Duration::from_secs(60);
/// The most idle connections: a browser opens more at once, but they are rarely all in use.
const IDLE: usize = 4;
/// The most requests that are passed on at once, until their answers end: a dashboard sends some dozens of queries at a time.
const IN_FLIGHT: usize = 64;

/// Headers of a single connection: <https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1>
const HOP_BY_HOP: [HeaderName; 9] = [
    HeaderName::from_static("proxy-connection"),
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// A proxy to another server.
#[derive(Clone)]
pub struct Proxy {
    client: reqwest::Client,
    base: String,
    prefix: String,
    in_flight: Arc<Semaphore>,
}

impl Proxy {
    /// A proxy to the server at this base URL, which has no path.
    ///
    /// # Errors
    /// The client cannot be built.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        Self::patient(base, SILENCE)
    }

    /// A proxy that gives up an answer without bytes for `silence`.
    fn patient(base: &str, silence: Duration) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(silence)
            .pool_max_idle_per_host(IDLE)
            .build()?;
        let (base, prefix) = (base.trim_end_matches('/').to_owned(), String::new());
        Ok(Self { client, base, prefix, in_flight: Arc::new(Semaphore::new(IN_FLIGHT)) })
    }

    /// Routes for reading these paths of a server, below `/prefix/`; `{name}` stands for one segment. All else below the prefix is
    /// answered with 403, so that nobody can use the proxy to change something there.
    pub fn reader(mut self, prefix: &str, paths: &[&str]) -> Router {
        prefix.clone_into(&mut self.prefix);
        let readable = format!("GET {prefix}{}", paths.join(&format!(", {prefix}")));
        let refuse = move |method: Method, uri: Uri| async move {
            let detail =
                format!("{method} {} is not passed on; only these are: {readable}", uri.path());
            Problem::new(StatusCode::FORBIDDEN, "not-passed-on", detail)
        };
        let rest = Router::new()
            .route(prefix, any(refuse.clone()))
            .route(&format!("{prefix}/"), any(refuse.clone()))
            .route(&format!("{prefix}/{{*path}}"), any(refuse.clone()));
        paths
            .iter()
            .fold(rest, |router, path| {
                router.route(&format!("{prefix}{path}"), get(pass).fallback(refuse.clone()))
            })
            .with_state(self)
    }

    /// Routes for all of `/prefix/…`; the prefix stays in the path.
    pub fn router(mut self, prefix: &str) -> Router {
        prefix.clone_into(&mut self.prefix);
        let slash = format!("{prefix}/");
        let there = slash.clone();
        Router::new()
            .route(prefix, get(|| async move { Redirect::permanent(&there) }))
            .route(&slash, any(pass))
            .route(&format!("{prefix}/{{*path}}"), any(pass))
            .with_state(self)
    }
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let Ok(place) = Arc::clone(&proxy.in_flight).try_acquire_owned() else {
        let detail = format!("{IN_FLIGHT} requests are being passed on, and no more fit in");
        return Problem::from(Error::new(Kind::Unavailable, detail).reason("OVERLOADED"))
            .into_response();
    };
    let peer = request.extensions().get().map(|ConnectInfo::<SocketAddr>(peer)| *peer);
    let (parts, body) = request.into_parts();
    let url = match path::target(&proxy.base, &proxy.prefix, &parts.uri) {
        Ok(url) => url,
        Err(reason) => {
            let detail = format!("the path cannot be passed on: {reason}");
            return Problem::new(StatusCode::BAD_REQUEST, "bad-path", detail).into_response();
        }
    };
    let mut headers = parts.headers;
    end_to_end(&mut headers);
    forwarded(&mut headers, peer);
    let mut passed = proxy.client.request(parts.method, url).headers(headers);
    if !body.is_end_stream() {
        passed = passed.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    match passed.send().await {
        Ok(answer) => answered(answer, place),
        Err(error) => failed(&proxy.base, &error),
    }
}

/// Whether a header tells the server what was requested, and by which client: the client's own values are removed.
fn is_ours_to_say(name: &HeaderName) -> bool {
    const OTHERS: [&str; 4] = ["forwarded", "x-real-ip", "x-original-url", "x-rewrite-url"];
    name.as_str().starts_with("x-forwarded") || OTHERS.contains(&name.as_str())
}

/// `Host` keeps the name that the browser requested: servers compare it with the origin of a request.
fn forwarded(headers: &mut HeaderMap, peer: Option<SocketAddr>) {
    let foreign: Vec<_> = headers.keys().filter(|name| is_ours_to_say(name)).cloned().collect();
    for name in foreign {
        headers.remove(name);
    }
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert("x-forwarded-host", host);
    }
    if let Some(peer) = peer.and_then(|peer| HeaderValue::try_from(peer.ip().to_string()).ok()) {
        headers.insert("x-forwarded-for", peer);
    }
    headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
}

fn end_to_end(headers: &mut HeaderMap) {
    let named: Vec<_> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn answered(answer: reqwest::Response, place: OwnedSemaphorePermit) -> Response {
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    end_to_end(&mut headers);
    let pieces = answer.bytes_stream().map(move |piece| {
        let _until_the_end = &place;
        piece
    });
    let mut response = Response::new(Body::from_stream(pieces));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn failed(base: &str, error: &reqwest::Error) -> Response {
    let (status, kind, what) = if error.is_timeout() {
        (StatusCode::GATEWAY_TIMEOUT, "deadline-exceeded", "does not answer in time")
    } else {
        (StatusCode::BAD_GATEWAY, "bad-gateway", "cannot be reached")
    };
    tracing::warn!(upstream = base, error = error as &dyn std::error::Error, "the upstream {what}");
    Problem::new(status, kind, format!("{base} {what}")).into_response()
}
