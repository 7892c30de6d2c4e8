//! The API's answers, without ports.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use promql::Labels;
use serde_json::{Value, json};
use timeseries::Store;
use tower::ServiceExt;

use crate::clock::Clock;

/// The time of the last sample: 2026-01-02T03:04:05Z.
const NOW: i64 = 1_767_323_045;

struct TestPrometheus {
    router: Router,
    store: Arc<Store>,
}

impl TestPrometheus {
    /// Two targets that have been scraped every two seconds for a minute.
    fn new() -> Self {
        let options = timeseries::Options {
            bytes: 4 << 20,
            retention: Duration::from_secs(1_800),
            series: 1_000,
        };
        let store = Arc::new(Store::new(options));
        for scrape in 0..=30 {
            let at_ms = (NOW - 60 + 2 * scrape) * 1_000;
            for job in ["gateway", "orders"] {
                let text = format!(
                    "# HELP requests_total Requests served.\n# TYPE requests_total counter\n\
                     requests_total{{code=\"200\"}} {}\nrequests_total{{code=\"500\"}} {scrape}\n",
                    10 * scrape
                );
                store.scrape(&target(job), at_ms, Duration::from_millis(3), &text).unwrap();
            }
        }
        Self { router: super::routes(&store, Clock::default()), store }
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let content_type = response.headers().get(header::CONTENT_TYPE).cloned();
        assert_eq!(content_type.unwrap(), "application/json");
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let path =
            path.replace('{', "%7B").replace('}', "%7D").replace('"', "%22").replace(' ', "%20");
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// The data of an answer that must succeed.
    async fn data(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(
            (status, &body["status"]),
            (StatusCode::OK, &json!("success")),
            "{path}: {body}"
        );
        body["data"].clone()
    }

    /// The status, kind and text of an error.
    async fn refusal(&self, path: &str) -> (u16, String, String) {
        let (status, body) = self.get(path).await;
        assert_eq!(body["status"], "error", "{path}: {body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (status.as_u16(), text("errorType"), text("error"))
    }
}

fn target(job: &str) -> Labels {
    Labels::from([("job", job), ("instance", "127.0.0.1:1")])
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_with_the_parameter_and_the_limit() {
    let server = TestPrometheus::new();
    let long = format!("/api/v1/query?query={}", "1%2B".repeat(10_000));
    let many = format!("/api/v1/labels?{}", "match[]=up&".repeat(65));
    for (path, expected) in [
        ("/api/v1/query", r#"invalid parameter "query": """#),
        ("/api/v1/query?query=sum(", r#"invalid parameter "query": "#),
        ("/api/v1/query?query=up&time=now", r#"invalid parameter "time": "now"; expected seconds"#),
        ("/api/v1/query?query=up&timeout=x", r#"invalid parameter "timeout": "x""#),
        ("/api/v1/query?query=up&limit=-1", r#"invalid parameter "limit": "-1""#),
        ("/api/v1/query_range?query=up&end=2&step=1", r#"invalid parameter "start": """#),
        ("/api/v1/query_range?query=up&start=1&end=2", r#"invalid parameter "step": """#),
        ("/api/v1/query_range?query=up&start=1&end=2&step=0", "expected a positive step"),
        (
            "/api/v1/query_range?query=up&start=3&end=2&step=1",
            "end timestamp must not be before start",
        ),
        (
            "/api/v1/query_range?query=up&start=0&end=22002&step=1",
            "exceeded maximum resolution of 11000 points per timeseries: a step of 1s makes 22002 points; use one of at least 2.001s",
        ),
        ("/api/v1/series", "no match[] parameter provided"),
        (
            "/api/v1/series?match[]=up[5m]",
            r#"invalid parameter "match[]": "up[5m]"; expected a selector"#,
        ),
        ("/api/v1/series?match[]={", r#"expected a selector"#),
        ("/api/v1/label/a-b/values", r#"invalid parameter "name": "a-b""#),
        (&many, r#"65 parameters "match[]"; the limit is 64"#),
        (&long, r#"parameter "query" has 20000 bytes; the limit is 16384"#),
    ] {
        let (status, kind, text) = server.refusal(path).await;
        assert_eq!((status, kind.as_str()), (400, "bad_data"), "{path}: {text}");
        assert!(text.contains(expected), "{path}: {text}");
    }
}

#[tokio::test]
async fn a_body_must_be_a_form_of_bounded_size() {
    let server = TestPrometheus::new();
    let post = |content_type: &str, size: usize| {
        let request = Request::post("/api/v1/query").header(header::CONTENT_TYPE, content_type);
        request.body(Body::from(format!("query={}", "x".repeat(size)))).unwrap()
    };
    for (request, expected) in [
        (post("application/json", 1), "the body is no form"),
        (post("application/x-www-form-urlencoded", 65 << 10), "the body has more than 65536 bytes"),
    ] {
        let (status, body) = server.ask(request).await;
        assert_eq!((status, &body["errorType"]), (StatusCode::BAD_REQUEST, &json!("bad_data")));
        assert!(body["error"].as_str().unwrap().contains(expected), "{body}");
    }
}

#[tokio::test]
async fn a_query_has_one_form_and_the_server_a_version() {
    let server = TestPrometheus::new();
    assert_eq!(server.data("/api/v1/format_query?query=sum(  up )").await, json!("sum(up)"));
    let version = server.data("/api/v1/status/buildinfo").await;
    assert!(version["revision"].as_str().unwrap().starts_with("lens of glassmesh"), "{version}");
}
