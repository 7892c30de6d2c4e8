//! Telemetry is complete and true.

use std::{collections::BTreeSet, fs, net::TcpListener, path::Path};

use harness::{Mesh, Options, until};
use reqwest::Method;

/// The services that take part in an order, sorted by name.
fn sorted() -> BTreeSet<&'static str> {
    registry::of_the_mesh().collect()
}

/// Service × signal: metrics, traces, logs.
pub(crate) async fn every_service_has_every_signal(options: Options) {
    let mesh = options.start().await;
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&order, "completed").await;
    let traced = until("spans of every service", || async {
        let services: BTreeSet<_> =
            mesh.collector().trace(&order.trace_id).into_iter().map(|span| span.service).collect();
        registry::of_the_mesh().all(|service| services.contains(service)).then_some(services)
    });
    traced.await;
    until("log lines of every service", || async {
        let services: BTreeSet<_> =
            mesh.collector().lines().into_iter().map(|line| line.service).collect();
        registry::of_the_mesh().all(|service| services.contains(service)).then_some(())
    })
    .await;
    let of_the_order = until("log lines of the order's trace", || async {
        let lines = mesh.collector().lines();
        lines
            .into_iter()
            .find(|line| line.trace_id == order.trace_id && line.body == "order settled")
    });
    assert_eq!(of_the_order.await.severity, "INFO");
    for service in registry::of_the_mesh() {
        let metrics = mesh.metrics(service).await;
        for name in [
            "mesh_build_info",
            "process_resident_memory_bytes",
            "tokio_workers",
            "mesh_spans_total",
            "mesh_log_lines_total",
        ] {
            assert!(metrics.has(name), "{service} has no {name}");
        }
        accounted(&mesh, service).await;
    }
}

/// Every started span is exported or counted as dropped, as soon as no work is in flight.
async fn accounted(mesh: &Mesh, service: &str) {
    until(&format!("{service}'s spans to be accounted for"), || async {
        let metrics = mesh.metrics(service).await;
        let state = |state| metrics.sum("mesh_spans_total", &[("state", state)]);
        (state("started") > 0.0 && state("started") == state("exported") + state("dropped"))
            .then_some(())
    })
    .await;
}

/// Without a collector, no request waits or fails, and spans that cannot be sent are counted.
pub(crate) async fn a_missing_collector_delays_no_request(options: Options) {
    let mesh =
        options.with_lens().set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").start().await;
    for _ in 0..20 {
        let order = mesh.gateway().place("tok_ok").await;
        mesh.gateway().until_status(&order, "completed").await;
    }
    until("dropped spans to be counted", || async {
        (mesh.metrics("orders").await.sum("mesh_spans_total", &[("state", "dropped")]) > 0.0)
            .then_some(())
    })
    .await;
    accounted(&mesh, "orders").await;
    mesh.audit().await;
}

/// With a collector that accepts connections and never answers, no request waits, although the queue is short.
pub(crate) async fn a_silent_collector_delays_no_request(options: Options) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("is bound"));
    let options = options
        .with_lens()
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &url)
        .set("OTEL_EXPORTER_OTLP_TIMEOUT", "200")
        .set("MESH_TELEMETRY__QUEUE", "4");
    let mesh = options.start().await;
    for _ in 0..20 {
        let order = mesh.gateway().place("tok_ok").await;
        mesh.gateway().until_status(&order, "completed").await;
    }
    accounted(&mesh, "orders").await;
    let sent = mesh.metrics("orders").await.sum("mesh_spans_total", &[("state", "exported")]);
    assert_eq!(sent, 0.0);
    mesh.audit().await;
}

/// Each service's metrics by name, type and labels: dashboards and alerts rely on these, and a change shows here. Every
/// counter exists from the start, and no undeclared series appears.
pub(crate) async fn metrics_match_the_contract(options: Options) {
    let mesh = options.with_lens().start().await;
    let services = || sorted().into_iter().chain(["lens"]);
    let mut contract = String::new();
    for service in services() {
        let declared = mesh.admin(service, "/metrics/families").await.expect("it is ready");
        let begun = mesh.metrics(service).await;
        for line in declared.lines().filter(|line| line.contains(" counter")) {
            let name = line.split(' ').next().unwrap_or_default();
            assert!(begun.has(name), "{service} has no series of {name} before something happens");
        }
        contract += &format!("{service}\n");
        contract.extend(declared.lines().map(|line| format!("  {line}\n")));
    }
    for token in ["tok_ok", "tok_declined"] {
        let order = mesh.gateway().place(token).await;
        mesh.gateway().live(&order).await;
    }
    mesh.audit().await;
    for service in services() {
        let of_it = contract.split_once(&format!("{service}\n")).unwrap_or_default().1;
        for family in families(&mesh.metrics(service).await) {
            let mut lines = of_it.lines().take_while(|line| line.starts_with(' '));
            assert!(
                lines.any(|line| line.trim() == family),
                "{service} exports an undeclared {family}"
            );
        }
    }
    keep("metrics.txt", &contract);
}

/// The scraped series in the format of the contract; the type follows from the names.
fn families(metrics: &harness::Samples) -> BTreeSet<String> {
    let family = |sample: &harness::Sample| {
        let ends = ["_bucket", "_sum", "_count"];
        // A gauge's name may end in `_count`, too.
        let base = ends.iter().find_map(|end| sample.name.strip_suffix(end));
        let histogram = base.filter(|base| metrics.has(&format!("{base}_bucket")));
        let mut line = histogram.unwrap_or(&sample.name).to_owned();
        line += match (histogram, line.ends_with("_total")) {
            (Some(_), _) => " histogram",
            (None, true) => " counter",
            (None, false) => " gauge",
        };
        for label in sample.labels.keys().filter(|label| *label != "le") {
            line += &format!(" {label}");
        }
        line
    };
    metrics.0.iter().map(family).collect()
}

/// Compares with the file in `tests/contracts`. Here a difference is repaired and reported; in CI it is only reported.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration, and CI is a convention of the outside"
)]
fn keep(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/contracts").join(name);
    let kept = fs::read_to_string(&path).unwrap_or_default();
    if kept != now && std::env::var_os("CI").is_none() {
        fs::write(&path, now).expect("the contract can be written");
    }
    let gone = kept.lines().filter(|line| !now.lines().any(|other| other == *line));
    let fresh = now.lines().filter(|line| !kept.lines().any(|other| other == *line));
    let (gone, fresh): (Vec<_>, Vec<_>) = (gone.collect(), fresh.collect());
    assert!(
        kept == now,
        "tests/contracts/{name} was not what the services declare: gone {gone:?}, new {fresh:?}; \
         run this test here, which repairs it, and commit the result if that is what you want"
    );
}

/// The built-in lens: it serves the trace to a Jaeger client, its topology has both buses, and its flow shows the end of the
/// order.
pub(crate) async fn lens_shows_the_topology_and_the_trace(options: Options) {
    let mesh = options.with_lens().start().await;
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&order, "completed").await;
    let lens =
        harness::Gateway::new(&mesh.service("lens").await.http.expect("the lens serves HTTP"));
    let services = until("a trace of all services", || async {
        let trace = lens.get(&format!("/api/traces/{}", order.trace_id)).await;
        let processes = trace.body["data"][0]["processes"].as_object()?;
        let services: BTreeSet<_> = processes
            .values()
            .filter_map(|process| process["serviceName"].as_str().map(str::to_owned))
            .collect();
        registry::of_the_mesh().all(|service| services.contains(service)).then_some(services)
    });
    services.await;
    let printed = mesh.run(&["trace", &order.id]).await;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    for part in
        [&order.trace_id, "POST /api/orders", "mesh.orders.v1.Orders/Place", "└─ send live.orders"]
    {
        assert!(printed.contains(part), "{part:?} is not in:\n{printed}");
    }
    until("a topology with both buses", || async {
        let topology = lens.get("/lens/v1/topology").await.body;
        let named = |name: &str| {
            let mut nodes = topology["nodes"].as_array().into_iter().flatten();
            nodes.any(|node| node["name"].as_str().is_some_and(|node| node.starts_with(name)))
        };
        let all = ["orders.events", "payments.events", "shipments.events", "live.orders"];
        all.into_iter().all(named).then_some(())
    })
    .await;
    until("the flow's end", || async {
        let flows = lens.get("/lens/v1/flows").await.body;
        let mut items = flows["items"].as_array()?.iter();
        items.any(|flow| flow["id"] == order.id && flow["state"] == "completed").then_some(())
    })
    .await;
    until("the flow's log lines", || async {
        let logs = lens.get(&format!("/lens/v1/logs?trace_id={}", order.trace_id)).await.body;
        let mut items = logs["items"].as_array()?.iter();
        items.any(|line| line["body"] == "order settled").then_some(())
    })
    .await;
}

/// What an open console asks every few seconds.
const POLLS: [&str; 14] = [
    "/",
    "/console.json",
    "/lens/v1/topology?window=60s",
    "/lens/v1/flows?limit=20",
    "/lens/v1/clock",
    "/lens/v1/traces?limit=20",
    "/lens/v1/logs?service=orders&severity=warn&limit=5",
    "/lens/v1/services?window=30s",
    "/lens/v1/services/orders/readiness",
    "/lens/v1/services/orders/log-level",
    "/lens/v1/services/orders/config",
    "/lens/v1/events/topics",
    "/lens/v1/events/dead-letters",
    "/prometheus/api/v1/query?query=up",
];

/// To look at the mesh is no load of the mesh: what the console asks leaves no span, and what it changes does.
pub(crate) async fn an_open_console_leaves_no_span(options: Options) {
    let mesh = options.with_lens().start().await;
    let gateway = mesh.gateway();
    for path in POLLS {
        let answer = gateway.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    // A process exports its spans in their order: when those of these requests have arrived, earlier ones would have, too.
    gateway.place("tok_ok").await;
    let replay = "/lens/v1/events/dead-letters/replay";
    let headers = [("sec-fetch-site", "same-origin")];
    let replayed = gateway.send(Method::POST, replay, &headers, None).await;
    assert_eq!(replayed.status, 200, "{replayed:?}");
    for (service, last) in [("gateway", "POST /api/orders"), ("lens", &format!("POST {replay}"))] {
        let operations = until("the span of the last request", || async {
            let path = format!("/lens/api/services/{service}/operations");
            let operations = gateway.get(&path).await.body["data"].as_array().cloned()?;
            operations.iter().any(|name| name == last).then_some(operations)
        })
        .await;
        let polled = operations.iter().filter_map(|name| name.as_str()?.strip_prefix("GET "));
        let polled: Vec<_> = polled.filter(|path| !path.starts_with("/api/")).collect();
        assert!(polled.is_empty(), "{service} has spans of {polled:?}");
    }
}
