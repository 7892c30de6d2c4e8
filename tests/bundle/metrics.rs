//! A mesh's metrics in the real Prometheus, and the way from a metric to a trace.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use harness::{Mesh, until};
use serde_json::Value;

use crate::stack::{Stack, list, text};

/// The scrape jobs of this lane; Loki and Grafana do not run in it.
const JOBS: [&str; 12] = [
    "alertmanager",
    "catalog",
    "gateway",
    "inventory",
    "jaeger",
    "lens",
    "notifications",
    "orders",
    "otel-collector",
    "payments",
    "prometheus",
    "shipping",
];

/// Waits until every target of Prometheus is up.
pub(crate) async fn until_all_up(stack: &Stack) {
    until("every target to be up", || async {
        let answer = stack.get("PROMETHEUS", "/api/v1/targets?state=active").await?;
        let targets = list(&answer, "/data/activeTargets").iter();
        let health: BTreeMap<_, _> =
            targets.map(|one| (text(one, "/labels/job"), text(one, "/health"))).collect();
        let jobs: Vec<_> = health.keys().copied().collect();
        (jobs == JOBS && health.values().all(|health| *health == "up")).then_some(())
    })
    .await;
}

async fn scraped() -> (Stack, Mesh) {
    let stack = Stack::running();
    let mesh = stack.mesh().start().await;
    stack.scrape(&mesh).await;
    until_all_up(&stack).await;
    (stack, mesh)
}

/// The first series of a PromQL query now; `None` if the result is empty.
async fn query(stack: &Stack, expression: &str) -> Option<Value> {
    let answer = stack.get("PROMETHEUS", &format!("/api/v1/query?query={expression}")).await?;
    list(&answer, "/data/result").first().cloned()
}

#[tokio::test]
#[ignore = "needs Prometheus, Collector, Jaeger and Alertmanager: .ci/run has them"]
async fn every_target_is_scraped_under_its_service_name() {
    let (stack, mesh) = scraped().await;
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&order, "completed").await;
    // The job and the label `service` of a service's series both carry its name; a part has only the job.
    let one =
        until("the mesh's build", || query(&stack, "mesh_build_info%7Bjob=%22orders%22%7D")).await;
    assert_eq!(text(&one, "/metric/service"), "orders", "{one}");
    assert!(text(&one, "/metric/instance").starts_with("127.0.0.1:"), "{one}");
    // Only the collector's own metrics, not those of Jaeger, which is a collector, too: it must have sent all that it
    // accepted.
    let collector = "%7Bjob=%22otel-collector%22%7D";
    until("spans that the collector sent", || async {
        let number = async |name: &str| {
            let one = query(&stack, &format!("sum(otelcol_{name}_spans_total{collector})")).await?;
            text(&one, "/value/1").parse::<f64>().ok()
        };
        let (sent, accepted) = (number("exporter_sent").await?, number("receiver_accepted").await?);
        (sent > 0.0 && (sent - accepted).abs() < 1.0).then_some(())
    })
    .await;
    let failed = format!("sum(otelcol_exporter_send_failed_spans_total{collector})%20%3E%200");
    assert!(query(&stack, &failed).await.is_none());
}

#[tokio::test]
#[ignore = "needs Prometheus, Collector, Jaeger and Alertmanager: .ci/run has them"]
async fn an_exemplar_leads_to_its_trace() {
    let (stack, mesh) = scraped().await;
    let began = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    for series in ["http_server_request_duration_seconds", "messaging_process_duration_seconds"] {
        let order = mesh.gateway().place("tok_ok").await;
        mesh.gateway().until_status(&order, "completed").await;
        let path = format!(
            "/api/v1/query_exemplars?query={series}_bucket&start={began}&end={}",
            began + 600
        );
        let trace_id = until(&format!("an exemplar of {series}"), || async {
            let answer = stack.get("PROMETHEUS", &path).await?;
            let exemplar = answer.pointer("/data/0/exemplars/0")?;
            Some(text(exemplar, "/labels/trace_id").to_owned())
        })
        .await;
        let trace = stack.until_trace(&trace_id).await;
        assert!(!list(&trace, "/spans").is_empty(), "{trace}");
    }
}
