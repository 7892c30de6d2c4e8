//! What a mesh remembers over a restart.

use std::{cell::RefCell, collections::BTreeSet, fs};

use harness::{Gateway, Mesh, Options, Order, until};

/// The traces, log lines and metrics of the last run are there after a stop and a start; with `--fresh` they are gone.
pub(crate) async fn the_last_run_can_be_read_after_a_restart(options: Options) {
    let mut mesh = options.with_lens().start().await;
    let order = mesh.gateway().place("tok_ok").await;
    let trace = until_kept(&mesh, &order).await;
    let at = now();
    let metrics = until_measured(&mesh, &at).await;
    assert!(mesh.stop().await.success(), "{}", mesh.log());

    mesh.up();
    mesh.until_ready().await;
    let lens = lens(&mesh).await;
    assert_has(&lens, &order, &trace).await;
    assert!(has_lines(&lens, &order).await);
    assert_eq!(
        started_at(&mesh, &at).await.as_ref(),
        Some(&metrics),
        "as Prometheus' API had it before"
    );
    assert!(mesh.stop().await.success(), "{}", mesh.log());

    mesh.set_arguments(&["--fresh"]);
    mesh.up();
    mesh.until_ready().await;
    let lens = self::lens(&mesh).await;
    assert_eq!(spans(&lens, &order).await, None);
    assert!(!has_lines(&lens, &order).await);
    // The present run may be within the ten seconds already; it has another value.
    assert_ne!(started_at(&mesh, &at).await, Some(metrics));
}

/// A file that cannot be read is no reason not to start: the log says so.
pub(crate) async fn a_damaged_file_of_the_last_run_is_reported_and_left_out(options: Options) {
    let mut mesh = options.with_lens().start().await;
    let order = mesh.gateway().place("tok_ok").await;
    until_kept(&mesh, &order).await;
    assert!(mesh.stop().await.success(), "{}", mesh.log());
    let path = mesh.folder().join(".mesh/lens/traces");
    let mut kept = fs::read(&path).expect("what lens has kept");
    let middle = kept.len() / 2;
    kept[middle] ^= 0xff;
    fs::write(&path, kept).expect("the file is writable");

    mesh.up();
    mesh.until_ready().await;
    until("the log to say so", || async {
        let log = mesh.log();
        (log.contains("cannot be read and will be overwritten") && log.contains("checksum"))
            .then_some(())
    })
    .await;
    let after = mesh.gateway().place("tok_ok").await;
    until_kept(&mesh, &after).await;
}

/// Lens saves while it runs, so a crash of lens loses only what came after the last save.
pub(crate) async fn a_killed_lens_has_what_it_saved_before(options: Options) {
    let mesh = options.with_lens().set("MESH_LENS__KEEP__EVERY", "100ms").start().await;
    let order = mesh.gateway().place("tok_ok").await;
    let trace = until_kept(&mesh, &order).await;
    let path = mesh.folder().join(".mesh/lens/traces");
    let begun = fs::metadata(&path).and_then(|file| file.modified()).ok();
    // The file is replaced when there is something new, which a further order is.
    mesh.gateway().place("tok_ok").await;
    until("a save after the trace", || async {
        let now = fs::metadata(&path).and_then(|file| file.modified()).ok();
        (now.is_some() && now != begun).then_some(())
    })
    .await;
    mesh.kill("lens").await;
    let lens = lens(&mesh).await;
    assert_has(&lens, &order, &trace).await;
}

/// A run that was exported can be opened without the mesh that made it: its trace, its log lines, its topology as of its end.
pub(crate) async fn an_exported_run_can_be_replayed_elsewhere(options: Options) {
    let mesh = options.clone().with_lens().start().await;
    let order = mesh.gateway().place("tok_ok").await;
    let trace = until_kept(&mesh, &order).await;
    let metrics = until_measured(&mesh, &now()).await;
    let file = mesh.folder().join("run.zip");
    let exported = mesh.run(&["export", "run.zip"]).await;
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let text = String::from_utf8_lossy(&exported.stdout).into_owned();
    assert!(text.starts_with("run.zip: ") && text.contains(" spans and "), "{text}");

    let file = file.to_str().expect("a readable path");
    let mut elsewhere = options.with_lens().start_nothing().await;
    elsewhere.set_arguments(&["--replay", file]);
    elsewhere.up();
    elsewhere.until_ready().await;
    until("the run to be loaded", || async { elsewhere.log().contains("ready in").then_some(()) })
        .await;
    let started = elsewhere.status().await.into_iter().map(|service| service.service);
    let started: BTreeSet<_> = started.filter(|name| name != "mesh").collect();
    assert_eq!(started, BTreeSet::from(["gateway".to_owned(), "lens".to_owned()]));
    let lens = lens(&elsewhere).await;
    assert_has(&lens, &order, &trace).await;
    assert!(has_lines(&lens, &order).await);
    let printed = elsewhere.run(&["trace", &order.id]).await;
    assert!(String::from_utf8_lossy(&printed.stdout).contains(&order.trace_id));
    // The run's last minute is the present, and lens sees nothing else.
    let door = elsewhere.gateway();
    // Of the last minutes: a late answer to the last scrape ends the series, as in Prometheus.
    let query = format!("last_over_time({STARTED}[5m])");
    let answer = door.get(&format!("/prometheus/api/v1/query?query={query}")).await.body;
    assert_eq!(answer["data"]["result"][0]["value"][1].as_str(), Some(&*metrics), "{answer}");
    let topology = door.get("/lens/v1/topology?window=60s").await.body;
    let mut nodes = topology["nodes"].as_array().into_iter().flatten();
    assert!(nodes.any(|node| node["name"] == "payments" && node["calls"].as_u64() > Some(0)));
    assert!(elsewhere.stop().await.success(), "{}", elsewhere.log());
    assert!(!elsewhere.folder().join(".mesh/lens").exists(), "a replay is not kept");
}

async fn lens(mesh: &Mesh) -> Gateway {
    Gateway::new(&mesh.service("lens").await.http.expect("lens serves HTTP"))
}

/// The ids of the trace's spans, sorted.
async fn spans(lens: &Gateway, order: &Order) -> Option<Vec<String>> {
    let trace = lens.get(&format!("/api/traces/{}", order.trace_id)).await.body;
    let spans = trace["data"][0]["spans"].as_array()?;
    let mut ids: Vec<_> =
        spans.iter().filter_map(|span| span["spanID"].as_str().map(str::to_owned)).collect();
    ids.sort();
    Some(ids)
}

/// Waits until the trace has all these spans: lens is ready before it has read the traces of the last run. It may have more: a
/// service sends the last ones when it stops.
async fn assert_has(lens: &Gateway, order: &Order, before: &[String]) {
    until("the trace of the last run", || async {
        let now = spans(lens, order).await.unwrap_or_default();
        before.iter().all(|id| now.contains(id)).then_some(())
    })
    .await;
}

async fn has_lines(lens: &Gateway, order: &Order) -> bool {
    let lines = lens.get(&format!("/lens/v1/logs?trace_id={}", order.trace_id)).await.body;
    let mut items = lines["items"].as_array().into_iter().flatten();
    items.any(|line| line["body"] == "order settled")
}

/// When the process of orders began: each run has another value.
const STARTED: &str = "process_start_time_seconds{job=%22orders%22}";

/// The present, in seconds since the Unix epoch.
fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("a time after 1970").as_secs_f64().to_string()
}

/// What a range query through the gateway says about the ten seconds from a time on.
async fn started_at(mesh: &Mesh, at: &str) -> Option<String> {
    let end = at.parse::<f64>().expect("seconds") + 10.0;
    let query = format!("query={STARTED}&start={at}&end={end}&step=1");
    let answer = mesh.gateway().get(&format!("/prometheus/api/v1/query_range?{query}")).await.body;
    let first = answer["data"]["result"][0]["values"][0][1].as_str();
    first.map(str::to_owned)
}

async fn until_measured(mesh: &Mesh, at: &str) -> String {
    until("metrics of orders", || started_at(mesh, at)).await
}

/// Waits until lens has the order's log lines and its whole trace; returns its spans.
async fn until_kept(mesh: &Mesh, order: &Order) -> Vec<String> {
    mesh.gateway().until_status(order, "completed").await;
    let lens = lens(mesh).await;
    // It is whole when no span came for a while.
    let last = RefCell::new((None, 0));
    until("a whole trace in lens", || async {
        let (now, has_lines) = (spans(&lens, order).await, has_lines(&lens, order).await);
        let mut last = last.borrow_mut();
        let unchanged = if now == last.0 { last.1 + 1 } else { 0 };
        *last = (now.clone(), unchanged);
        now.filter(|_| has_lines && unchanged > 40)
    })
    .await
}
