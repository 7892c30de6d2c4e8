//! Pages for people.

use axum::{Router, http::Uri};
use tokio::{net::TcpListener, task::JoinSet};

use super::gateway::TestGateway;
use crate::config::{FrontDoor, Upstream};

#[tokio::test]
async fn the_front_page_links_to_the_api_and_its_documentation() {
    let answer = TestGateway::new().await.get("/").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    for link in ["/docs/", "/openapi.json", "/api/products"] {
        assert!(answer.text.contains(&format!("\"{link}\"")), "{link}");
    }
}

/// The front page lists no server that is not configured.
#[tokio::test]
async fn the_front_page_lists_the_servers_that_are_configured() {
    let plain = TestGateway::new().await;
    assert!(!plain.get("/").await.text.contains("grafana"));
    assert_eq!(plain.get("/grafana/").await.status, 404);
    let grafana = Upstream::try_from("http://127.0.0.1:1".to_owned()).unwrap();
    let beside = TestGateway::with_front_door(FrontDoor { grafana, ..FrontDoor::default() }).await;
    let page = beside.get("/").await;
    assert!(page.text.contains("<a href=\"/grafana/\">") && !page.text.contains("jaeger"));
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
        assert_eq!(gateway.get("/").await.text.matches("href=\"/prometheus/\"").count(), 1);
    }
    let alone = TestGateway::new().await;
    assert_eq!(alone.get(query).await.status, 404);
}

/// No page refers to another host, and the policy forbids the browser to load anything from one.
#[tokio::test]
async fn the_documentation_loads_nothing_from_other_hosts() {
    let gateway = TestGateway::new().await;
    let answer = gateway.get("/docs").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "/docs/"));
    for page in ["/", "/docs/"] {
        let answer = gateway.get(page).await;
        assert!(answer.header("content-security-policy").contains("default-src 'self'"));
        let places = ["src=\"", "href=\"", "url("]
            .map(|before| answer.text.split(before).skip(1).collect::<Vec<_>>());
        for place in places.concat() {
            let place = place.split('"').next().unwrap();
            assert!(!place.contains("//"), "{page} refers to {place}");
            let path =
                if place.starts_with('/') { place.to_owned() } else { format!("{page}{place}") };
            let found = gateway.get(path.split('#').next().unwrap()).await;
            assert!(place.starts_with("data:") || found.status == 200, "{path}: {}", found.status);
        }
    }
    for script in ["/index.js", "/docs/docs.js"] {
        assert!(!gateway.get(script).await.text.contains("://"), "{script} refers to another host");
    }
    assert!(gateway.get("/docs/docs.js").await.text.contains("validatorUrl: null"));
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
