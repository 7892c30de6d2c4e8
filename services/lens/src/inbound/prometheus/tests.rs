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

use crate::{clock::Clock, rules::States};

/// The time of the last sample: 2026-01-02T03:04:05Z.
const NOW: i64 = 1_767_323_045;

struct TestPrometheus {
    router: Router,
    store: Arc<Store>,
    rules: Arc<States>,
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
        let rules = Arc::new(States::default());
        Self { router: super::routes(&store, &rules, Clock::default()), store, rules }
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

/// A file with an alert that fires once and is pending once, and a recording rule that fails.
fn publish_rules(server: &TestPrometheus) {
    let text = r#"
groups:
  - name: processes
    interval: 30s
    limit: 7
    rules:
      - alert: ServiceAbsent
        expr: up == 0
        for: 1m
        keep_firing_for: 30s
        labels: { severity: page }
        annotations: { summary: "{{ $labels.job }} is away" }
  - name: rates
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
"#;
    let parsed = promrules::file::parse("alerts.yaml", text, Duration::from_secs(15)).unwrap();
    let mut groups: Vec<_> = parsed.iter().map(promrules::Group::snapshot).collect();
    let evaluation =
        Some(promrules::Evaluation { at_ms: NOW * 1_000 + 250, took: Duration::from_millis(2) });
    let alert = |job: &str, state| promrules::Alert {
        labels: Labels::from([("alertname", "ServiceAbsent"), ("job", job), ("severity", "page")]),
        annotations: Arc::new([("summary".to_owned(), format!("{job} is away"))].into()),
        state,
        value: 0.0,
        active_at_ms: (NOW - 90) * 1_000,
        fired_at_ms: None,
        keep_firing_since_ms: (job == "orders").then_some(NOW * 1_000),
        resolved_at_ms: None,
    };
    groups[0].evaluation = evaluation;
    let absent = &mut groups[0].rules[0];
    (absent.evaluation, absent.health) = (evaluation, promrules::Health::Ok);
    absent.alerts = vec![
        alert("catalog", promrules::State::Inactive),
        alert("orders", promrules::State::Firing),
        alert("payments", promrules::State::Pending),
    ];
    let recorded = &mut groups[1].rules[0];
    (recorded.health, recorded.last_error) = (promrules::Health::Err, Some("too many".to_owned()));
    server.rules.publish(groups.into_iter().map(Arc::new).collect());
}

#[tokio::test]
async fn rules_have_the_state_of_their_last_evaluation() {
    let server = TestPrometheus::new();
    publish_rules(&server);
    let data = server.data("/prometheus/api/v1/rules").await;
    let alert = |job: &str, state: &str| {
        json!({
            "labels": { "alertname": "ServiceAbsent", "job": job, "severity": "page" },
            "annotations": { "summary": format!("{job} is away") },
            "state": state, "activeAt": "2026-01-02T03:02:35.000Z", "value": "0e+00",
        })
    };
    let mut firing = alert("orders", "firing");
    firing["keepFiringSince"] = "2026-01-02T03:04:05.000Z".into();
    assert_eq!(
        data["groups"][0],
        json!({
            "name": "processes", "file": "alerts.yaml", "interval": 30.0, "limit": 7,
            "evaluationTime": 0.002, "lastEvaluation": "2026-01-02T03:04:05.250Z",
            "rules": [{
                "name": "ServiceAbsent", "query": "up == 0", "type": "alerting", "state": "firing",
                "duration": 60.0, "keepFiringFor": 30.0, "health": "ok",
                "labels": { "severity": "page" },
                "annotations": { "summary": "{{ $labels.job }} is away" },
                "evaluationTime": 0.002, "lastEvaluation": "2026-01-02T03:04:05.250Z",
                "alerts": [firing, alert("payments", "pending")],
            }],
        })
    );
    let recording = &data["groups"][1]["rules"][0];
    assert_eq!(
        (&recording["health"], &recording["lastError"], &recording["lastEvaluation"]),
        (&json!("err"), &json!("too many"), &json!("0001-01-01T00:00:00Z"))
    );
    let alerts = server.data("/api/v1/alerts").await;
    assert_eq!(alerts, json!({ "alerts": [firing, alert("payments", "pending")] }));
}

#[tokio::test]
async fn rules_are_filtered_by_type_name_group_file_and_labels() {
    let server = TestPrometheus::new();
    publish_rules(&server);
    for (filter, expected) in [
        ("type=alert", vec!["ServiceAbsent"]),
        ("type=record", vec!["job:up:sum"]),
        ("rule_name[]=job:up:sum&rule_name[]=x", vec!["job:up:sum"]),
        ("rule_group[]=processes", vec!["ServiceAbsent"]),
        ("file[]=alerts.yaml", vec!["ServiceAbsent", "job:up:sum"]),
        ("file[]=other.yaml", vec![]),
        ("match[]={severity=\"page\"}", vec!["ServiceAbsent"]),
    ] {
        let data = server.data(&format!("/api/v1/rules?{filter}")).await;
        let rules = data["groups"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap());
        assert_eq!(
            rules.map(|rule| rule["name"].as_str().unwrap()).collect::<Vec<_>>(),
            expected,
            "{filter}"
        );
    }
    let data = server.data("/api/v1/rules?exclude_alerts=true&type=alert").await;
    assert_eq!(data["groups"][0]["rules"][0]["alerts"], json!([]));
    for bad in ["type=alerting", "exclude_alerts=yes"] {
        let (status, kind, text) = server.refusal(&format!("/api/v1/rules?{bad}")).await;
        assert_eq!((status, kind.as_str()), (400, "bad_data"), "{text}");
    }
}
