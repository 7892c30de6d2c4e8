//! One front door: requests below a prefix are passed on to another HTTP server as they are, and its answers come back so.
//!
//! Bodies are streamed both ways, and no limit of ours applies to them. What belongs to one connection stays there; the
//! server is told by which name and way it was reached. WebSockets are not passed on.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::Problem;

/// It is in the same cluster, or on this machine.
const CONNECT: Duration = Duration::from_secs(2);
/// As long as a query of a month's metrics may take before who asked gives up.
const SILENCE: Duration = Duration::from_secs(60);
/// Fewer idle connections than a browser opens at once: nobody looks at all of them at the same time.
const IDLE: usize = 4;

/// Headers that are about one connection: <https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1>
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// A way to another server.
#[derive(Clone)]
pub struct Proxy {
    client: reqwest::Client,
    base: String,
}

impl Proxy {
    /// To the server at this base URL, which has no path.
    ///
    /// # Errors
    /// The client cannot be built.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        Self::patient(base, SILENCE)
    }

    /// Gives a server up that says nothing for so long.
    fn patient(base: &str, silence: Duration) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(silence)
            .pool_max_idle_per_host(IDLE)
            .build()?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned() })
    }

    /// All of `/prefix/…`, path included.
    pub fn router(self, prefix: &str) -> Router {
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
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut headers = parts.headers;
    forwarded(&mut headers);
    end_to_end(&mut headers);
    let mut passed =
        proxy.client.request(parts.method, format!("{}{target}", proxy.base)).headers(headers);
    if !body.is_end_stream() {
        passed = passed.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    match passed.send().await {
        Ok(answer) => answered(answer),
        Err(error) => failed(&proxy.base, &error),
    }
}

/// The name stays what the browser asked for: who checks where a request comes from compares with it.
fn forwarded(headers: &mut HeaderMap) {
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert("x-forwarded-host", host);
    }
    headers.entry("x-forwarded-proto").or_insert(HeaderValue::from_static("http"));
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

fn answered(answer: reqwest::Response) -> Response {
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    end_to_end(&mut headers);
    let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
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

#[cfg(test)]
mod tests {
    use axum::{body::Bytes, routing::post};
    use futures::StreamExt;
    use tokio::{net::TcpListener, task::JoinSet};

    use super::*;
    use crate::{
        http::{Edge, Options},
        metrics::Registry,
    };

    struct Stage {
        base: String,
        registry: Registry,
        _servers: JoinSet<()>,
    }

    async fn serve(servers: &mut JoinSet<()>, router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        servers.spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!("http://{address}")
    }

    /// What came in, told as text.
    async fn echo(request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let mut told = format!("{} {} {} bytes\n", parts.method, parts.uri, body.len());
        for (name, value) in &parts.headers {
            told += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        ([("x-answer", "yes"), ("connection", "x-secret"), ("x-secret", "1")], told).into_response()
    }

    async fn drip() -> Body {
        let drops = futures::stream::iter(["first", "second"]).then(|drop| async move {
            if drop == "second" {
                std::future::pending::<()>().await;
            }
            Ok::<_, std::io::Error>(Bytes::from(drop))
        });
        Body::from_stream(drops)
    }

    async fn stage(upstream: Option<&str>) -> Stage {
        let (mut servers, registry) = (JoinSet::new(), Registry::new());
        let there = Router::new()
            .route("/tea/drip", get(drip))
            .route("/tea/moved", get(|| async { Redirect::temporary("/tea/cup") }))
            .route("/tea/pot", post(echo))
            .fallback(echo);
        let base = match upstream {
            Some(base) => base.to_owned(),
            None => serve(&mut servers, there).await,
        };
        let edge =
            Edge::alone(&registry, Options { body_limit: 16, ..Options::default() }).unwrap();
        let here = edge.around(Proxy::new(&base).unwrap().router("/tea"));
        let base = serve(&mut servers, here).await;
        Stage { base, registry, _servers: servers }
    }

    impl Stage {
        fn request(&self, method: http::Method, path: &str) -> reqwest::RequestBuilder {
            let client = reqwest::Client::builder().no_proxy();
            let client = client.redirect(reqwest::redirect::Policy::none()).build().unwrap();
            client.request(method, format!("{}{path}", self.base))
        }
    }

    #[tokio::test]
    async fn a_request_arrives_as_it_is_and_the_answer_comes_back() {
        let stage = stage(None).await;
        let asked = stage.request(http::Method::GET, "/tea/cup?of=assam%20tea");
        let asked = asked.header("connection", "x-private, keep-alive").header("x-private", "1");
        let answer = asked.header("host", "shop.example").header("te", "trailers").send().await;
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["x-answer"]),
            (200, &"yes".parse().unwrap())
        );
        assert!(!answer.headers().contains_key("x-secret"));
        let told = answer.text().await.unwrap();
        assert!(told.starts_with("GET /tea/cup?of=assam%20tea 0 bytes\n"), "{told}");
        for line in
            ["host: shop.example", "x-forwarded-host: shop.example", "x-forwarded-proto: http"]
        {
            assert!(told.contains(line), "{line:?} is not in:\n{told}");
        }
        for word in ["x-private", "te:", "transfer-encoding"] {
            assert!(!told.contains(word), "{word:?} is in:\n{told}");
        }
        let counted = "http_route=\"/tea/{*path}\"";
        assert!(stage.registry.text().contains(counted), "{}", stage.registry.text());
    }

    #[tokio::test]
    async fn a_large_body_is_passed_on_and_an_answer_begins_before_it_ends() {
        let stage = stage(None).await;
        let body = vec![b'x'; 3 << 20];
        let told = stage.request(http::Method::POST, "/tea/pot").body(body).send().await.unwrap();
        assert!(told.text().await.unwrap().starts_with("POST /tea/pot 3145728 bytes\n"));
        let mut drops = stage.request(http::Method::GET, "/tea/drip").send().await.unwrap();
        assert_eq!(drops.chunk().await.unwrap().unwrap(), "first");
    }

    #[tokio::test]
    async fn a_redirect_is_the_browsers_to_follow() {
        let stage = stage(None).await;
        for (path, to) in [("/tea/moved", "/tea/cup"), ("/tea", "/tea/")] {
            let answer = stage.request(http::Method::GET, path).send().await.unwrap();
            assert!(answer.status().is_redirection());
            assert_eq!(answer.headers()["location"], to);
        }
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_a_problem_that_names_it() {
        let stage = stage(Some("http://127.0.0.1:1")).await;
        let answer = stage.request(http::Method::GET, "/tea/").send().await.unwrap();
        assert_eq!(answer.status(), 502);
        let problem: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(problem["detail"], "http://127.0.0.1:1 cannot be reached");
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        let mut servers = JoinSet::new();
        let silent = Router::new().fallback(std::future::pending::<()>);
        let there = serve(&mut servers, silent).await;
        let proxy = Proxy::patient(&there, Duration::from_millis(50)).unwrap();
        let here = serve(&mut servers, proxy.router("/tea")).await;
        let answer = reqwest::get(format!("{here}/tea/cup")).await.unwrap();
        assert_eq!(answer.status(), 504);
        let problem: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(problem["detail"], format!("{there} does not answer in time"));
    }
}
