//! The API's answers, without ports.

mod rules;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use parking_lot::RwLock;
use promql::Labels;
use serde_json::{Value, json};
use timeseries::Store;
use tower::ServiceExt;

use crate::{clock::Clock, config::Scrape, scrape::Scraper};

/// The time of the last sample: 2026-01-02T03:04:05Z.
const NOW: i64 = 1_767_323_045;

struct TestPrometheus {
    router: Router,
    store: Arc<Store>,
    rules: Arc<RwLock<Vec<Arc<promrules::GroupState>>>>,
    scraper: Arc<Scraper>,
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
        let rules = Arc::new(RwLock::new(Vec::new()));
        let read = Arc::clone(&rules);
        let groups = Arc::new(move || read.read().clone());
        let scrape = Scrape {
            targets: [("orders_2".to_owned(), "http://127.0.0.1:1/metrics".to_owned())].into(),
            ..Scrape::default()
        };
        let scraper = Arc::new(Scraper::new(&scrape, &store).unwrap());
        let router = super::routes(&store, groups, &scraper, Clock::default());
        Self { router, store, rules, scraper }
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
async fn an_instant_query_is_answered_by_get_and_by_post() {
    let server = TestPrometheus::new();
    let query = format!("query=sum by (job) (requests_total)&time={NOW}").replace(' ', "+");
    let expected = json!({ "resultType": "vector", "result": [
        { "metric": { "job": "gateway" }, "value": [NOW, "330"] },
        { "metric": { "job": "orders" }, "value": [NOW, "330"] },
    ]});
    for prefix in ["", "/prometheus"] {
        let mut answer = server.data(&format!("{prefix}/api/v1/query?{query}")).await;
        let by_job = |one: &Value| one["metric"]["job"].to_string();
        answer["result"].as_array_mut().unwrap().sort_by_key(by_job);
        assert_eq!(answer, expected);
    }
    let post = Request::post("/prometheus/api/v1/query?limit=1")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let (status, body) = server.ask(post.body(query.into()).unwrap()).await;
    assert_eq!((status, body["data"]["result"].as_array().unwrap().len()), (StatusCode::OK, 1));
    assert_eq!(body["warnings"], json!(["results truncated due to limit"]));
}

#[tokio::test]
async fn each_type_of_result_has_its_form() {
    let server = TestPrometheus::new();
    let at = "time=2026-01-02T03:04:05.5Z";
    let time = json!(NOW as f64 + 0.5);
    let scalar = server.data(&format!("/api/v1/query?query=1e30/3&{at}")).await;
    assert_eq!(
        scalar,
        json!({ "resultType": "scalar", "result": [time, "3.333333333333333e+29"] })
    );
    let text = server.data(&format!("/api/v1/query?query=\"a\"&{at}")).await;
    assert_eq!(text, json!({ "resultType": "string", "result": [time, "a"] }));
    let matrix = server.data(&format!("/api/v1/query?query=up{{job=\"orders\"}}[3s]&{at}")).await;
    assert_eq!(matrix["resultType"], "matrix");
    assert_eq!(matrix["result"][0]["values"], json!([[NOW - 2, "1"], [NOW, "1"]]));
}

#[tokio::test]
async fn a_range_query_has_a_value_for_each_step() {
    let server = TestPrometheus::new();
    let range = format!("start={}&end={NOW}&step=20s", NOW - 40);
    let query = format!("query=sum(rate(requests_total{{code=\"500\"}}[20s]))&{range}");
    let data = server.data(&format!("/api/v1/query_range?{query}")).await;
    assert_eq!(data["resultType"], "matrix");
    let values = data["result"][0]["values"].as_array().unwrap();
    assert_eq!(values.len(), 3);
    for (value, at) in values.iter().zip([NOW - 40, NOW - 20, NOW]) {
        let rate: f64 = value[1].as_str().unwrap().parse().unwrap();
        assert!(value[0] == at && (rate - 1.0).abs() < 1e-9, "{value}");
    }
    let empty = server.data(&format!("/api/v1/query_range?query=nothing&{range}")).await;
    assert_eq!(empty, json!({ "resultType": "matrix", "result": [] }));
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
    let (status, kind, _) =
        server.refusal("/api/v1/query?query=up*on(x)group_left(y)up&time=1767323045").await;
    assert_eq!((status, kind.as_str()), (422, "execution"));
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

/// However deep an expression is nested, and however large its regular expressions are, lens answers.
#[tokio::test]
async fn a_hostile_query_is_refused() {
    let server = TestPrometheus::new();
    for query in [
        "(".repeat(8_000),
        format!("{}1{}", "(".repeat(8_000), ")".repeat(8_000)),
        format!("{}1", "-".repeat(16_000)),
        format!("1{}", "%2B1".repeat(8_000)),
        format!("{}up{}", "abs(".repeat(3_000), ")".repeat(3_000)),
        "up{a=~\"(((x{100}){100}){100}){100}\"}".to_owned(),
    ] {
        let (status, body) = server.get(&format!("/api/v1/query?query={query}")).await;
        let shown: String = body.to_string().chars().take(300).collect();
        assert!(status == 400 || status == 422 || status == 200, "{status}: {shown}");
    }
    assert_eq!(server.get("/api/v1/query?query=1").await.0, StatusCode::OK);
}

#[tokio::test]
async fn series_and_labels_are_those_that_match() {
    let server = TestPrometheus::new();
    let series = server
        .data("/api/v1/series?match[]=requests_total{code=\"500\"}&match[]=up{job=\"orders\"}")
        .await;
    let named =
        |name: &str, job: &str| json!({ "__name__": name, "job": job, "instance": "127.0.0.1:1" });
    let (mut gateway, mut orders) =
        (named("requests_total", "gateway"), named("requests_total", "orders"));
    gateway["code"] = "500".into();
    orders["code"] = "500".into();
    let mut found = series.as_array().unwrap().clone();
    found.sort_by_key(Value::to_string);
    let mut expected = [gateway, orders, named("up", "orders")];
    expected.sort_by_key(Value::to_string);
    assert_eq!(found, expected);

    assert_eq!(server.data("/api/v1/labels").await, json!(["__name__", "code", "instance", "job"]));
    assert_eq!(
        server.data("/api/v1/labels?match[]=up").await,
        json!(["__name__", "instance", "job"])
    );
    assert_eq!(server.data("/api/v1/label/job/values").await, json!(["gateway", "orders"]));
    assert_eq!(server.data("/api/v1/label/code/values?match[]=up").await, json!([]));
    let names = server.data("/prometheus/api/v1/label/__name__/values").await;
    for name in ["requests_total", "scrape_duration_seconds", "up"] {
        assert!(names.as_array().unwrap().contains(&name.into()), "{names}");
    }
    assert_eq!(
        server.data(&format!("/api/v1/labels?start=1&end={}", NOW - 3_600)).await,
        json!([])
    );
    let (_, cut) = server.get("/api/v1/labels?limit=2").await;
    assert_eq!((&cut["data"], cut["warnings"].is_array()), (&json!(["__name__", "code"]), true));
}

#[tokio::test]
async fn metrics_have_their_descriptions() {
    let server = TestPrometheus::new();
    let one = json!([{ "type": "counter", "help": "Requests served.", "unit": "" }]);
    assert_eq!(
        server.data("/api/v1/metadata?metric=requests_total").await,
        json!({ "requests_total": one })
    );
    assert_eq!(server.data("/api/v1/metadata?metric=nothing").await, json!({}));
    assert_eq!(server.data("/api/v1/metadata?limit=1").await.as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn exemplars_are_those_of_the_selected_series() {
    let server = TestPrometheus::new();
    let text = "# TYPE request_seconds histogram\n\
        request_seconds_bucket{le=\"1\"} 1 # {trace_id=\"abc\"} 0.25 1767323044.5\n\
        request_seconds_bucket{le=\"+Inf\"} 1\nrequest_seconds_sum 0.25\nrequest_seconds_count 1\n# EOF\n";
    server.store.scrape(&target("orders"), (NOW + 2) * 1_000, Duration::ZERO, text).unwrap();
    let query = "histogram_quantile(0.9, rate(request_seconds_bucket[1m]))";
    let found = server
        .data(&format!("/api/v1/query_exemplars?query={query}&start={}&end={NOW}", NOW - 60))
        .await;
    assert_eq!(found[0]["seriesLabels"]["__name__"], "request_seconds_bucket");
    assert_eq!(
        found[0]["exemplars"],
        json!([{ "labels": { "trace_id": "abc" }, "value": "0.25", "timestamp": NOW as f64 - 0.5 }])
    );
    let other = server
        .data(&format!("/api/v1/query_exemplars?query=up&start={}&end={NOW}", NOW - 60))
        .await;
    assert_eq!(other, json!([]));
}

#[tokio::test]
async fn a_query_has_one_form_and_the_server_a_version() {
    let server = TestPrometheus::new();
    assert_eq!(server.data("/api/v1/format_query?query=sum(  up )").await, json!("sum(up)"));
    let version = server.data("/api/v1/status/buildinfo").await;
    assert!(version["revision"].as_str().unwrap().starts_with("lens of glassmesh"), "{version}");
}

/// A large answer is sent in parts, and is valid JSON all the same.
#[tokio::test]
async fn a_large_answer_is_whole() {
    let server = TestPrometheus::new();
    let lines: String =
        (0..900).map(|one| format!("large{{number=\"{one:0>200}\"}} {one}\n")).collect();
    server.store.scrape(&target("orders"), (NOW + 2) * 1_000, Duration::ZERO, &lines).unwrap();
    let found = server.data("/api/v1/series?match[]=large").await;
    assert_eq!(found.as_array().unwrap().len(), 900);
}

#[tokio::test]
async fn targets_have_the_result_of_their_last_scrape() {
    let server = TestPrometheus::new();
    let target = async || {
        server.data("/prometheus/api/v1/targets?state=active").await["activeTargets"][0].clone()
    };
    let before = target().await;
    assert_eq!(
        (&before["health"], &before["lastScrape"]),
        (&json!("unknown"), &json!("0001-01-01T00:00:00Z"))
    );
    server.scraper.scrape().await;
    let after = target().await;
    assert_eq!(
        after["labels"],
        json!({ "instance": "127.0.0.1:1", "job": "orders", "service": "orders" })
    );
    assert_eq!(
        (&after["health"], &after["scrapePool"], &after["scrapeUrl"]),
        (&json!("down"), &json!("orders_2"), &json!("http://127.0.0.1:1/metrics"))
    );
    assert_eq!((&after["scrapeInterval"], &after["scrapeTimeout"]), (&json!("2s"), &json!("1s")));
    assert!(after["lastError"].as_str().unwrap().contains("refused"), "{after}");
    assert_eq!(server.data("/api/v1/targets?state=dropped").await["activeTargets"], json!([]));
    assert_eq!(server.refusal("/api/v1/targets?state=x").await.0, 400);
}
