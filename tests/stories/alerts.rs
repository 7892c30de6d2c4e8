//! What goes wrong becomes an alert, with nothing installed: lens scrapes the mesh and evaluates the rules of `grafana/`.

use std::time::Duration;

use harness::{Mesh, Options, PATIENCE, Service, until, until_within};
use serde_json::Value;
use tokio::time::Instant;

/// A mesh in which orders complete has no alert; then a crash loop, a frozen consumer and a third party that is down each fire the
/// alert that their runbook belongs to, at the API and on the terminal.
pub(crate) async fn each_failure_fires_its_alert_and_a_healthy_mesh_none(options: Options) {
    let options = options
        .with_lens()
        .set("MESH_PAYMENTS__PROVIDER_TIMEOUT", "600ms")
        .set("MESH_PAYMENTS__KAFKA__ATTEMPTS", "2");
    let mesh = options.start().await;
    nothing_fires_while_orders_complete(&mesh).await;
    tokio::join!(
        crash_loop_of_notifications(&mesh),
        frozen_shipping(&mesh),
        third_party_that_is_down(&mesh),
    );
}

/// Alerts about slowness, which are right on a machine that compiles at the same time.
const SLOW: [&str; 4] = ["MeshOrdersSlow", "MeshFlowsLate", "MeshEventsLate", "MeshEventLoopBusy"];

async fn nothing_fires_while_orders_complete(mesh: &Mesh) {
    let gateway = mesh.gateway();
    for _ in 0..20 {
        let order = gateway.place("tok_ok").await;
        gateway.until_status(&order, "completed").await;
    }
    // A service that was scraped before it was ready is pending for one evaluation.
    until("all alerts to be evaluated, and none to be pending or firing", || async {
        let (_, report) = alerts(mesh).await?;
        let listed = report["alerts"].as_array()?.iter();
        let is_quiet = listed.map(name_of).all(|name| SLOW.contains(&name));
        (is_quiet && are_evaluated(mesh).await?).then_some(())
    })
    .await;
    let (status, report) = alerts(mesh).await.expect("an answer");
    let fires = report["alerts"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["state"] == "firing"));
    assert_eq!(status, Some(i32::from(fires)), "{report:#}");
    let fired = format!(
        r#"count_over_time(ALERTS{{alertstate="firing", alertname!~"Watchdog|{}"}}[10m])"#,
        SLOW.join("|")
    );
    let fired = mesh.prometheus("query", &[("query", &fired)]).await.expect("an answer");
    assert_eq!(fired["result"], Value::Array(Vec::new()));
    let all = printed(mesh, &["alerts", "--all"]).await;
    assert!(all.contains("firing   Watchdog (none) for "), "{all}");
}

/// The exit status and the answer of `mesh alerts --json`.
async fn alerts(mesh: &Mesh) -> Option<(Option<i32>, Value)> {
    let output = mesh.run(&["alerts", "--json"]).await;
    Some((output.status.code(), serde_json::from_slice(&output.stdout).ok()?))
}

fn name_of(alert: &Value) -> &str {
    alert["labels"]["alertname"].as_str().unwrap_or_default()
}

/// Whether each alert was evaluated; a rule that cannot be evaluated fails the story.
async fn are_evaluated(mesh: &Mesh) -> Option<bool> {
    let data = mesh.prometheus("rules", &[("type", "alert")]).await.ok()?;
    let groups = data["groups"].as_array()?.iter();
    let rules: Vec<_> = groups.flat_map(|group| group["rules"].as_array()).flatten().collect();
    let failed: Vec<_> = rules.iter().filter(|rule| rule["health"] == "err").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    Some(rules.len() > 30 && rules.iter().all(|rule| rule["health"] == "ok"))
}

/// Three times within two minutes is a page; of `notifications`, because no order needs it.
async fn crash_loop_of_notifications(mesh: &Mesh) {
    let mut killed = Instant::now();
    for kill in 1..=3 {
        let before: Service = mesh.service("notifications").await;
        killed = Instant::now();
        mesh.kill_process(&before).await;
        let starts = r#"changes(process_start_time_seconds{service="notifications"}[2m])"#;
        until("lens to see the restart", || async {
            (mesh.values(starts).await == [f64::from(kill)]).then_some(())
        })
        .await;
    }
    fires(mesh, "MeshServiceRestarting", "page", "service", "notifications").await;
    report("kill -9 that makes a crash loop", killed);
}

/// A process that is frozen keeps its connections and its partitions: its orders stand still.
async fn frozen_shipping(mesh: &Mesh) {
    let frozen = Instant::now();
    let paused = mesh.pause("shipping").await;
    // The alert is about services that were there a minute ago.
    let known = r#"count(service:up:max{service="shipping"} offset 1m)"#;
    until_within(PATIENCE + Duration::from_secs(60), "the mesh to be a minute old", || async {
        (mesh.values(known).await == [1.0]).then_some(())
    })
    .await;
    fires(mesh, "MeshServiceAbsent", "page", "service", "shipping").await;
    report("SIGSTOP of a consumer", frozen);
    drop(paused);
}

/// Orders whose payments are not answered open the breaker.
async fn third_party_that_is_down(mesh: &Mesh) {
    let began = Instant::now();
    let load = mesh.run(&["load", "--rate", "5", "--duration", "30s", "--token", "tok_down"]);
    let fires = async {
        fires(mesh, "MeshBreakerOpen", "ticket", "destination", "provider").await;
        report("the first payment without an answer", began);
    };
    tokio::join!(load, fires);
}

/// Waits until an alert is pending, and then until it fires, at the API; then the command must print it.
async fn fires(mesh: &Mesh, name: &str, severity: &str, label: &str, value: &str) {
    let is_it = |alert: &Value| {
        let labels = &alert["labels"];
        name_of(alert) == name && labels["severity"] == severity && labels[label] == value
    };
    for states in [["pending", "firing"].as_slice(), &["firing"]] {
        until(&format!("{name} of {value} to be {}", states.join(" or ")), || async {
            let mut found = Vec::new();
            for state in states {
                found.extend(mesh.alerts(state).await);
            }
            found.iter().any(is_it).then_some(())
        })
        .await;
    }
    let (status, report) = alerts(mesh).await.expect("an answer");
    assert_eq!(status, Some(1), "an alert fires: {report:#}");
    let listed = report["alerts"].as_array().expect("a list");
    let alert = listed.iter().find(|alert| is_it(alert) && alert["state"] == "firing");
    let alert = alert.unwrap_or_else(|| panic!("{name} fires: {report:#}"));
    let runbook = format!("grafana/runbooks.md#{}", name.to_lowercase());
    assert_eq!(alert["runbook"], runbook, "{alert}");
    let lines = printed(mesh, &["alerts"]).await;
    assert!(lines.contains(&format!("firing   {name} ({severity}) for ")), "{lines}");
    assert!(lines.contains(&format!("runbook: {runbook}\n")), "{lines}");
}

async fn printed(mesh: &Mesh, arguments: &[&str]) -> String {
    String::from_utf8_lossy(&mesh.run(arguments).await.stdout).into_owned()
}

#[expect(clippy::print_stdout, reason = "how long it took is worth knowing, but no promise")]
fn report(what: &str, since: Instant) {
    println!("{:.1} s from {what} to its alert", since.elapsed().as_secs_f64());
}
