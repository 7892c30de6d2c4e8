//! Tests of the proxy, with a server behind it.

use axum::{body::Bytes, routing::post};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use super::*;
use crate::{
    http::{Edge, Options, Requests},
    metrics::Registry,
};

struct Stage {
    base: String,
    _servers: JoinSet<()>,
}

async fn serve(servers: &mut JoinSet<()>, router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    servers.spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// Answers with the request, as text.
async fn echo(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut text = format!("{} {} {} bytes\n", parts.method, parts.uri, body.len());
    for (name, value) in &parts.headers {
        text += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    ([("x-answer", "yes"), ("connection", "x-secret"), ("x-secret", "1")], text).into_response()
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
    let options =
        Options { body_limit: 16, passed_on: vec![Requests::below("/tea/")], ..Options::default() };
    let edge = Edge::for_tests(&registry, options).unwrap();
    let here = edge.around(Proxy::new(&base).unwrap().router("/tea"));
    let base = serve(&mut servers, here).await;
    Stage { base, _servers: servers }
}

impl Stage {
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let client = reqwest::Client::builder().no_proxy();
        let client = client.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        client.request(method, format!("{}{path}", self.base))
    }
}

#[tokio::test]
async fn a_request_arrives_as_it_is_and_the_answer_comes_back() {
    let stage = stage(None).await;
    let asked = stage.request(Method::GET, "/tea/cup?of=assam%20tea");
    let asked = asked.header("connection", "x-private, keep-alive").header("x-private", "1");
    let answer = asked.header("host", "shop.example").header("te", "trailers").send().await;
    let answer = answer.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-answer"]),
        (200, &"yes".parse().unwrap())
    );
    assert!(!answer.headers().contains_key("x-secret"));
    let text = answer.text().await.unwrap();
    assert!(text.starts_with("GET /tea/cup?of=assam%20tea 0 bytes\n"), "{text}");
    for line in ["host: shop.example", "x-forwarded-host: shop.example", "x-forwarded-proto: http"]
    {
        assert!(text.contains(line), "{line:?} is not in:\n{text}");
    }
    for word in ["x-private", "te:", "transfer-encoding"] {
        assert!(!text.contains(word), "{word:?} is in:\n{text}");
    }
}

#[tokio::test]
async fn what_only_we_can_know_is_not_the_clients_to_say() {
    let stage = stage(None).await;
    let mut asked = stage.request(Method::GET, "/tea/cup").header("host", "shop.example");
    for name in [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-prefix",
        "x-real-ip",
        "x-original-url",
    ] {
        asked = asked.header(name, "liar");
    }
    let text = asked.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("x-forwarded-host: shop.example"), "{text}");
    assert!(text.contains("x-forwarded-proto: http"), "{text}");
    assert!(!text.contains("liar"), "{text}");
}

#[tokio::test]
async fn no_path_reaches_anything_outside_of_the_prefix() {
    let stage = stage(None).await;
    let address = stage.base.trim_start_matches("http://");
    for path in [
        "/tea/%2e%2e/secret",
        "/tea/../secret",
        "/tea/.%2E/secret",
        "/tea/..%2fsecret",
        "/tea/..;/secret",
        "/tea/a%5c..%5c..%5csecret",
        "/tea/..\\secret",
        "/tea//secret",
        "/tea/%252e%252e/secret",
        "/tea/%2e/secret",
        "/tea/a%00b",
        "/tea/a%0d%0ab",
        "/tea/%zz",
    ] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_large_body_is_passed_on_and_an_answer_begins_before_it_ends() {
    let stage = stage(None).await;
    let body = vec![b'x'; 3 << 20];
    let text = stage.request(Method::POST, "/tea/pot").body(body).send().await.unwrap();
    assert!(text.text().await.unwrap().starts_with("POST /tea/pot 3145728 bytes\n"));
    let mut drops = stage.request(Method::GET, "/tea/drip").send().await.unwrap();
    assert_eq!(drops.chunk().await.unwrap().unwrap(), "first");
}

#[tokio::test]
async fn a_redirect_is_the_browsers_to_follow() {
    let stage = stage(None).await;
    for (path, to) in [("/tea/moved", "/tea/cup"), ("/tea", "/tea/")] {
        let answer = stage.request(Method::GET, path).send().await.unwrap();
        assert!(answer.status().is_redirection());
        assert_eq!(answer.headers()["location"], to);
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_a_problem_that_names_it() {
    let stage = stage(Some("http://127.0.0.1:1")).await;
    let answer = stage.request(Method::GET, "/tea/").send().await.unwrap();
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
