//! Rules and alerts.

use std::{sync::Arc, time::Duration};

use promql::Labels;
use serde_json::json;

use super::{NOW, TestPrometheus};

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
    *server.rules.write() = groups.into_iter().map(Arc::new).collect();
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
