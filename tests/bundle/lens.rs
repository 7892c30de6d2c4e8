//! lens as a Prometheus: Prometheus' own client works with it, and it has the numbers of the real Prometheus that scrapes the same
//! mesh.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use harness::{Mesh, until};
use serde_json::Value;

use crate::{
    metrics::until_all_up,
    stack::{Stack, list, script, text},
};

/// Counters and gauges that stand still while nothing happens.
const AT_REST: [&str; 6] = [
    r#"http_server_request_duration_seconds_count{http_route="/api/orders"}"#,
    r#"http_server_request_duration_seconds_bucket{http_route="/api/orders", le="+Inf"}"#,
    "messaging_process_duration_seconds_count",
    "sum by (service, topic) (mesh_events_total)",
    "mesh_build_info",
    r#"count by (job) (process_start_time_seconds{service!=""})"#,
];

async fn mesh_after_orders(stack: &Stack) -> Mesh {
    let mesh = stack.mesh().start().await;
    let gateway = mesh.gateway();
    for token in ["tok_ok", "tok_ok", "tok_declined"] {
        let order = gateway.place(token).await;
        let end = if token == "tok_ok" { "completed" } else { "cancelled" };
        gateway.until_status(&order, end).await;
    }
    mesh
}

/// The series of a result with their values.
fn series(data: &Value) -> BTreeMap<String, String> {
    let series = list(data, "/result").iter();
    series.map(|one| (one["metric"].to_string(), text(one, "/value/1").to_owned())).collect()
}

#[tokio::test]
#[ignore = "needs Prometheus, Collector, Jaeger and Alertmanager: .ci/run has them"]
async fn lens_and_prometheus_have_the_same_numbers() {
    let stack = Stack::running();
    let mesh = mesh_after_orders(&stack).await;
    stack.scrape(&mesh).await;
    until_all_up(&stack).await;
    for query in AT_REST {
        until(&format!("lens and Prometheus to agree on {query}"), || async {
            let url = reqwest::Url::parse_with_params("http://-/api/v1/query", [("query", query)]);
            let url = url.expect("a URL");
            let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
            let theirs = stack.get("PROMETHEUS", &path).await?;
            let ours = mesh.prometheus("query", &[("query", query)]).await.ok()?;
            let (theirs, ours) = (series(&theirs["data"]), series(&ours));
            (!ours.is_empty() && ours == theirs).then_some(())
        })
        .await;
    }
    same_descriptions(&stack, &mesh).await;
}

/// Types, help and units of all metrics of the mesh.
async fn same_descriptions(stack: &Stack, mesh: &Mesh) {
    let theirs = stack.get("PROMETHEUS", "/api/v1/metadata").await.expect("an answer");
    let ours = mesh.prometheus("metadata", &[]).await.expect("an answer");
    let ours = ours.as_object().expect("an object");
    assert!(ours.len() > 100, "{} metrics have a description", ours.len());
    let different: Vec<_> = ours
        .iter()
        .filter(|(name, known)| theirs["data"].get(name).is_some_and(|theirs| theirs != *known))
        .map(|(name, known)| format!("{name}: {known}, not {}", theirs["data"][name]))
        .collect();
    // Parts have metrics of these names, too, with help texts of their own.
    let different: Vec<_> = different
        .into_iter()
        .filter(|one| !one.starts_with("process_") && !one.starts_with("target_info"))
        .collect();
    assert!(different.is_empty(), "{different:#?}");
}

/// Runs promtool, and returns what it prints.
async fn promtool(arguments: &[&str]) -> String {
    let programs = script("tests/real/parts.sh", &["install", "prometheus"]).await;
    let promtool = programs.lines().find(|line| line.ends_with("/promtool")).expect("promtool");
    let mut command = Command::new(promtool);
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().expect("promtool"));
    let output = output.await.expect("no panic");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
#[ignore = "needs promtool: .ci/run has it"]
async fn promtool_queries_lens() {
    let stack = Stack::running();
    let mesh = mesh_after_orders(&stack).await;
    let url = format!("http://127.0.0.1:{}/prometheus", mesh.base());
    let services: BTreeSet<_> = registry::SERVICES.iter().map(|one| one.name.to_owned()).collect();
    let up = r#"sum by (job) (up)"#;
    until("lens to have scraped every service", || async {
        (mesh.values(up).await == vec![1.0; services.len()]).then_some(())
    })
    .await;

    // {job="orders"} => 1 @[1767323045.123]
    let instant = promtool(&["query", "instant", &url, up]).await;
    let jobs: BTreeSet<_> = instant
        .lines()
        .filter(|line| line.contains("} => 1 @["))
        .filter_map(|line| Some(line.split('"').nth(1)?.to_owned()))
        .collect();
    assert_eq!(jobs, services, "{instant}");

    // Times of promtool are whole seconds, and a mesh that starts within one has no metrics at its beginning.
    let now = until("a second since lens had scraped every service", || async {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let at = format!("--time={now}");
        let count = promtool(&["query", "instant", &at, &url, "count(up)"]).await;
        count.contains(&format!("=> {} @", services.len())).then_some(now)
    })
    .await;
    let (start, end) = (format!("--start={}", now - 4), format!("--end={now}"));
    let range = promtool(&["query", "range", &start, &end, "--step=2s", &url, "count(up)"]).await;
    assert!(range.contains(&format!("{} @[{now}]", services.len())), "{range}");

    let matching = format!("--match={}", r#"up{job="orders"}"#);
    let series = promtool(&["query", "series", &matching, &url]).await;
    assert!(series.contains(r#"job="orders""#) && series.lines().count() == 1, "{series}");
    let labels = promtool(&["query", "labels", &url, "job"]).await;
    assert_eq!(labels.lines().map(str::to_owned).collect::<BTreeSet<_>>(), services);
    for check in ["healthy", "ready"] {
        promtool(&["check", check, &format!("--url={url}")]).await;
    }
}
