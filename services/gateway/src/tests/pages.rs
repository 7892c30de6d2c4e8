//! Pages for people.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, Uri},
};
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    gateway::{TIMEOUT, TestGateway, json},
    orders::TEAPOTS,
};
use crate::config::{FrontDoor, Upstream};

const PROBLEM: &str = "application/problem+json";

/// The page refers to files of this version only; the browser may keep them for ever.
#[tokio::test]
async fn the_console_is_one_page_whose_files_never_change() {
    let gateway = TestGateway::new().await;
    let page = gateway.get("/").await;
    assert_eq!(
        (page.status.as_u16(), page.header("content-type"), page.header("cache-control")),
        (200, "text/html; charset=utf-8", "no-cache")
    );
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let references: Vec<_> = page.text.split("\"/assets/").skip(1).collect();
    assert!(references.len() > 4, "{}", page.text);
    for reference in references {
        let path = format!("/assets/{}", reference.split('"').next().unwrap());
        let plain = gateway.get(&path).await;
        assert_eq!((plain.status.as_u16(), plain.header("content-encoding")), (200, ""), "{path}");
        assert!(plain.header("cache-control").contains("immutable"), "{path}");
        let packed = gateway.get_gzip(&path).await;
        assert_eq!(packed.headers()["content-encoding"], "gzip", "{path}");
    }
}

#[tokio::test]
async fn a_file_of_another_version_of_the_console_is_not_found() {
    let gateway = TestGateway::new().await;
    for path in ["/assets/0123456789abcdef/app.js", "/assets/x/../app.js", "/assets/app.js"] {
        assert_eq!(gateway.get(path).await.status, 404, "{path}");
    }
}

/// The console lists no server that is not configured.
#[tokio::test]
async fn the_console_knows_the_servers_that_are_configured() {
    let plain = TestGateway::new().await;
    assert_eq!(plain.get("/console.json").await.body["doors"].as_array().unwrap().len(), 0);
    assert_eq!(plain.get("/grafana/").await.status, 404);
    let grafana = Upstream::try_from("http://127.0.0.1:1".to_owned()).unwrap();
    let beside = TestGateway::with_front_door(FrontDoor { grafana, ..FrontDoor::default() }).await;
    let about = beside.get("/console.json").await.body;
    assert_eq!(about["doors"][0]["path"], "/grafana");
    assert_eq!(
        (about["doors"].as_array().unwrap().len(), &about["prometheus"]),
        (1, &false.into())
    );
    for path in ["/grafana/", "/grafana/d/mesh-overview"] {
        let answer = beside.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (502, "application/problem+json")
        );
    }
    let numbers = beside.registry.text();
    assert!(!numbers.contains("grafana"), "a proxied request is measured:\n{numbers}");
    assert_eq!(beside.get("/jaeger/").await.status, 404);
    assert_eq!(beside.get("/api/products").await.status, 200);
}

/// A server that answers with its name and the path of the request.
async fn server(tasks: &mut JoinSet<()>, name: &'static str) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(move |uri: Uri| async move { format!("{name} {uri}") });
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Upstream::try_from(base).unwrap()
}

fn post(path: &str) -> Request<Body> {
    Request::post(path).body(Body::empty()).unwrap()
}

/// Where no Prometheus is configured, its API is that of lens.
#[tokio::test]
async fn lens_stands_in_for_a_prometheus_that_is_not_configured() {
    let mut tasks = JoinSet::new();
    let lens = server(&mut tasks, "lens").await;
    let prometheus = server(&mut tasks, "prometheus").await;
    let query = "/prometheus/api/v1/query?query=up";
    for (front_door, expected) in [
        (FrontDoor { lens: lens.clone(), ..FrontDoor::default() }, "lens"),
        (FrontDoor { lens, prometheus, ..FrontDoor::default() }, "prometheus"),
    ] {
        let gateway = TestGateway::with_front_door(front_door).await;
        assert_eq!(gateway.get(query).await.text, format!("{expected} {query}"));
        assert_eq!(gateway.get("/lens/v1/flows").await.text, "lens /lens/v1/flows");
        let about = gateway.get("/console.json").await.text;
        assert_eq!(about.matches("\"/prometheus\"").count(), 1);
    }
    let alone = TestGateway::new().await;
    assert_eq!(alone.get(query).await.status, 404);
}

/// Whoever looks for the reason why orders are refused can open the page.
#[tokio::test]
async fn the_console_opens_while_orders_are_refused() {
    let mut tasks = JoinSet::new();
    let lens = server(&mut tasks, "lens").await;
    let front_door = FrontDoor { lens, ..FrontDoor::default() };
    let gateway = Arc::new(TestGateway::with_front_door(front_door).await);
    let page = gateway.get("/").await.text;
    let files = page.split("\"/assets/").skip(1).filter_map(|file| file.split('"').next());
    let mut paths: Vec<_> = files.map(|file| format!("/assets/{file}")).collect();
    paths.extend(["/", "/console.json", "/lens/v1/topology", "/prometheus/"].map(str::to_owned));
    gateway.peers.hang("place");
    for _ in 0..160 {
        let gateway = Arc::clone(&gateway);
        tasks.spawn(async move {
            loop {
                let order = json("/api/orders").body(TEAPOTS.into()).unwrap();
                if gateway.open(order).await.status() == 503 {
                    sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    let refused = || {
        gateway.metric(r#"http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="503",http_route="/api/orders"}"#)
    };
    let refuses = async |before: f64| {
        while refused() <= before {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TIMEOUT, refuses(0.0)).await.expect("too many orders");
    for path in paths {
        assert_eq!(gateway.get_gzip(&path).await.status(), 200, "{path}");
    }
    timeout(TIMEOUT, refuses(refused())).await.expect("still too many orders");
}

/// Loki has no login: who could push or delete log lines through the front door would change what others see.
#[tokio::test]
async fn of_loki_only_queries_are_passed_on() {
    let mut tasks = JoinSet::new();
    let loki = server(&mut tasks, "loki").await;
    let gateway = TestGateway::with_front_door(FrontDoor { loki, ..FrontDoor::default() }).await;
    for query in [
        "/loki/api/v1/query_range?query=%7Bservice_name%3D%22orders%22%7D&direction=backward",
        "/loki/api/v1/query?query=%7B%7D",
        "/loki/api/v1/labels",
        "/loki/api/v1/label/service_name/values?since=5m",
        "/loki/api/v1/series",
    ] {
        assert_eq!(gateway.get(query).await.text, format!("loki {query}"));
        let posted = gateway.send(post(query)).await;
        assert_eq!((posted.status.as_u16(), posted.header("content-type")), (403, PROBLEM));
    }
    for refused in [
        "/loki",
        "/loki/",
        "/loki/api/v1/push",
        "/loki/api/v1/delete",
        "/loki/api/v1/tail",
        "/loki/api/v1/label/service_name",
        "/loki/api/v1/label/service_name/values/more",
        "/loki/api/v1/query/",
        "/loki/config",
    ] {
        for answer in [gateway.get(refused).await, gateway.send(post(refused)).await] {
            assert_eq!((answer.status.as_u16(), answer.header("content-type")), (403, PROBLEM));
            let detail = answer.body["detail"].as_str().unwrap();
            assert!(
                detail.contains(refused) && detail.contains("/loki/api/v1/query_range"),
                "{detail}"
            );
        }
    }
    assert_eq!(gateway.get("/loki/api/v1/label/..%2fpush/values").await.status, 400);
    let about = gateway.get("/console.json").await.body;
    assert_eq!((&about["loki"], &about["doors"]), (&true.into(), &serde_json::json!([])));
    assert!(!gateway.registry.text().contains("/loki/"), "a proxied query is measured");
}

#[tokio::test]
async fn without_a_loki_there_is_nothing_at_its_path() {
    let gateway = TestGateway::new().await;
    assert_eq!(gateway.get("/console.json").await.body["loki"], false);
    assert_eq!(gateway.get("/loki/api/v1/labels").await.status, 404);
}

/// The documentation refers to no other host, and the policy forbids the browser to load anything from one.
#[tokio::test]
async fn the_documentation_loads_nothing_from_other_hosts() {
    let gateway = TestGateway::new().await;
    let answer = gateway.get("/docs").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "/docs/"));
    let answer = gateway.get("/docs/").await;
    assert!(answer.header("content-security-policy").contains("default-src 'self'"));
    let places = ["src=\"", "href=\"", "url("]
        .map(|before| answer.text.split(before).skip(1).collect::<Vec<_>>());
    for place in places.concat() {
        let place = place.split('"').next().unwrap();
        assert!(!place.contains("//"), "the page refers to {place}");
        let path = format!("/docs/{place}");
        let found = gateway.get(path.split('#').next().unwrap()).await;
        assert!(place.starts_with("data:") || found.status == 200, "{path}: {}", found.status);
    }
    let script = gateway.get("/docs/docs.js").await.text;
    assert!(!script.contains("://") && script.contains("validatorUrl: null"), "{script}");
}

#[tokio::test]
async fn the_documentation_is_served_compressed_with_its_content_type() {
    let gateway = TestGateway::new().await;
    for (file, content_type) in [
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("favicon-32x32.png", "image/png"),
    ] {
        let answer = gateway.get(&format!("/docs/{file}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-encoding")),
            (200, "gzip"),
            "{file}"
        );
        assert!(
            answer.header("content-type").starts_with(content_type),
            "{file}: {}",
            answer.header("content-type")
        );
    }
    for missing in ["/docs/index.html", "/docs/swagger-initializer.js", "/docs/%2e%2e", "/nothing"]
    {
        let answer = gateway.get(missing).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (404, "application/problem+json")
        );
    }
}
