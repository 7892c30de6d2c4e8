//! An alert of ours fires: from the real Prometheus to the real Alertmanager.

use std::{collections::BTreeSet, process::Command};

use harness::until;

use crate::{
    metrics::until_all_up,
    stack::{Stack, list, text},
};

/// Fires when no process of a service was up for more than half of the last minute.
const ALERT: &str = "MeshServiceAbsent";

/// The services for which Alertmanager has this alert now.
async fn alarmed(stack: &Stack) -> Option<BTreeSet<String>> {
    let path = format!("/api/v2/alerts?active=true&filter=alertname%3D{ALERT}");
    let answer = stack.get("ALERTMANAGER", &path).await?;
    let services = answer.as_array()?.iter().map(|alert| text(alert, "/labels/service").to_owned());
    Some(services.collect())
}

/// The services for which this alert is pending or firing in Prometheus.
async fn suspected(stack: &Stack) -> Option<BTreeSet<String>> {
    let answer = stack.get("PROMETHEUS", "/api/v1/alerts").await?;
    let ours =
        list(&answer, "/data/alerts").iter().filter(|one| text(one, "/labels/alertname") == ALERT);
    Some(ours.map(|alert| text(alert, "/labels/service").to_owned()).collect())
}

fn tell(signal: &str, pid: u32) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill {signal} {pid}");
}

#[tokio::test]
#[ignore = "needs Prometheus and Alertmanager: .ci/run has them"]
async fn alertmanager_receives_a_frozen_service_and_its_recovery() {
    let stack = Stack::running();
    let mesh = stack.mesh().start().await;
    stack.scrape(&mesh).await;
    until_all_up(&stack).await;
    // First the alerts of services that were absent before this mesh started must end.
    until("silence", || async { alarmed(&stack).await?.is_empty().then_some(()) }).await;

    // SIGSTOP instead of a kill: the supervisor would start a killed process again before the alert fires.
    let payments = mesh.service("payments").await.pid.expect("it runs");
    tell("-STOP", payments);
    let only = BTreeSet::from(["payments".to_owned()]);
    until("Prometheus to notice", || async { (suspected(&stack).await? == only).then_some(()) })
        .await;
    until("Alertmanager to know", || async { (alarmed(&stack).await? == only).then_some(()) })
        .await;

    tell("-CONT", payments);
    until("the alert to end", || async { alarmed(&stack).await?.is_empty().then_some(()) }).await;
}
