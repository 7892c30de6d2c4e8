//! Pages for people.

use super::stage::Stage;
use crate::config::{FrontDoor, Upstream};

#[tokio::test]
async fn the_front_page_says_what_is_here() {
    let answer = Stage::new().await.get("/").await;
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
async fn the_front_page_lists_whose_pages_are_served_too() {
    let plain = Stage::new().await;
    assert!(!plain.get("/").await.text.contains("grafana"));
    assert_eq!(plain.get("/grafana/").await.status, 404);
    let grafana = Upstream::try_from("http://127.0.0.1:1".to_owned()).unwrap();
    let beside = Stage::beside(FrontDoor { grafana, ..FrontDoor::default() }).await;
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
    assert!(!numbers.contains("grafana"), "who watches is counted as load:\n{numbers}");
    assert_eq!(beside.get("/jaeger/").await.status, 404);
    assert_eq!(beside.get("/api/products").await.status, 200);
}

/// Nothing refers to another host, and the policy forbids the browser to load anything from one.
#[tokio::test]
async fn the_documentation_needs_nobody_else() {
    let stage = Stage::new().await;
    let answer = stage.get("/docs").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "/docs/"));
    for page in ["/", "/docs/"] {
        let answer = stage.get(page).await;
        assert!(answer.header("content-security-policy").contains("default-src 'self'"));
        let places = ["src=\"", "href=\"", "url("]
            .map(|before| answer.text.split(before).skip(1).collect::<Vec<_>>());
        for place in places.concat() {
            let place = place.split('"').next().unwrap();
            assert!(!place.contains("//"), "{page} refers to {place}");
            let path =
                if place.starts_with('/') { place.to_owned() } else { format!("{page}{place}") };
            let found = stage.get(path.split('#').next().unwrap()).await;
            assert!(place.starts_with("data:") || found.status == 200, "{path}: {}", found.status);
        }
    }
    for script in ["/index.js", "/docs/docs.js"] {
        assert!(!stage.get(script).await.text.contains("://"), "{script} refers to another host");
    }
    assert!(stage.get("/docs/docs.js").await.text.contains("validatorUrl: null"));
}

#[tokio::test]
async fn the_documentation_comes_compressed_and_typed() {
    let stage = Stage::new().await;
    for (file, content_type) in [
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("favicon-32x32.png", "image/png"),
    ] {
        let answer = stage.get(&format!("/docs/{file}")).await;
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
        let answer = stage.get(missing).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (404, "application/problem+json")
        );
    }
}
