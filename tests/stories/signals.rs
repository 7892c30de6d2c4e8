//! Telemetry tells the truth.

use std::{collections::BTreeSet, net::TcpListener};

use harness::{Mesh, Options, until};

const SERVICES: [&str; 7] =
    ["catalog", "gateway", "inventory", "notifications", "orders", "payments", "shipping"];

/// Service × signal: metrics, traces, logs.
pub(crate) async fn every_service_has_every_signal(options: Options) {
    let mesh = options.start().await;
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&order, "completed").await;
    let traced = until("spans of every service", || async {
        let services: BTreeSet<_> =
            mesh.collector().trace(&order.trace_id).into_iter().map(|span| span.service).collect();
        SERVICES.iter().all(|service| services.contains(*service)).then_some(services)
    });
    traced.await;
    until("log lines of every service", || async {
        let services: BTreeSet<_> =
            mesh.collector().lines().into_iter().map(|line| line.service).collect();
        SERVICES.iter().all(|service| services.contains(*service)).then_some(())
    })
    .await;
    let of_the_order = until("log lines of the order's trace", || async {
        let lines = mesh.collector().lines();
        lines
            .into_iter()
            .find(|line| line.trace_id == order.trace_id && line.body == "order settled")
    });
    assert_eq!(of_the_order.await.severity, "INFO");
    for service in SERVICES {
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

/// Every span that was started is exported or counted as dropped, as soon as nothing is under way.
async fn accounted(mesh: &Mesh, service: &str) {
    until(&format!("{service}'s spans to be accounted for"), || async {
        let metrics = mesh.metrics(service).await;
        let state = |state| metrics.sum("mesh_spans_total", &[("state", state)]);
        (state("started") > 0.0 && state("started") == state("exported") + state("dropped"))
            .then_some(())
    })
    .await;
}

/// The collector is away: no request waits or fails for it, and what cannot be sent is counted.
pub(crate) async fn a_dead_collector_costs_no_request(options: Options) {
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

/// The collector is there and never answers: nobody waits for it, though hardly anything can wait to be sent.
pub(crate) async fn a_collector_that_never_answers_costs_no_request(options: Options) {
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

/// Each service's metrics, name and labels: a dashboard or an alert may rely on these, and a change shows here.
pub(crate) async fn metrics_are_what_the_contract_says(options: Options) {
    let mesh = options.start().await;
    for token in ["tok_ok", "tok_declined"] {
        let order = mesh.gateway().place(token).await;
        mesh.gateway().live(&order).await;
    }
    mesh.audit().await;
    let kept = include_str!("snapshots/mesh__stories__signals__metrics.snap");
    let kept = kept.splitn(3, "---\n").last().unwrap_or_default();
    // Some appear with the first statistics of a client, or with the first message of a kind.
    let end = tokio::time::Instant::now() + harness::PATIENCE / 3;
    let mut contract = contract(&mesh).await;
    while contract.trim_end() != kept.trim_end() && tokio::time::Instant::now() < end {
        contract = self::contract(&mesh).await;
    }
    insta::assert_snapshot!("metrics", contract);
}

/// Every service's metrics with their labels.
async fn contract(mesh: &Mesh) -> String {
    let mut contract = String::new();
    for service in SERVICES {
        let metrics = mesh.metrics(service).await;
        let family = |sample: &harness::Sample| {
            let labels: Vec<_> =
                sample.labels.keys().filter(|label| *label != "le").cloned().collect();
            let name =
                ["_bucket", "_sum", "_count"].iter().find_map(|end| sample.name.strip_suffix(end));
            format!("  {}{{{}}}", name.unwrap_or(&sample.name), labels.join(","))
        };
        let families: BTreeSet<_> = metrics.0.iter().map(family).collect();
        contract +=
            &format!("{service}\n{}\n", families.into_iter().collect::<Vec<_>>().join("\n"));
    }
    contract
}

/// What comes bundled: the trace can be fetched as a Jaeger client does, the topology has both buses, the flow has its end.
pub(crate) async fn the_lens_sees_the_whole_mesh(options: Options) {
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
        SERVICES.iter().all(|service| services.contains(*service)).then_some(services)
    });
    services.await;
    let told = mesh.run(&["trace", &order.id]).await;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    for part in
        [&order.trace_id, "POST /api/orders", "mesh.orders.v1.Orders/Place", "└─ send live.orders"]
    {
        assert!(told.contains(part), "{part:?} is not in:\n{told}");
    }
    until("a topology with both buses", || async {
        let topology = lens.get("/lens/v1/topology").await.body.to_string();
        ["orders.events", "payments.events", "shipments.events", "live.orders"]
            .iter()
            .all(|node| topology.contains(node))
            .then_some(())
    })
    .await;
    until("the flow's end", || async {
        let flows = lens.get("/lens/v1/flows").await.body.to_string();
        (flows.contains(&order.id) && flows.contains("completed")).then_some(())
    })
    .await;
    until("the flow's log lines", || async {
        let logs =
            lens.get(&format!("/lens/v1/logs?trace_id={}", order.trace_id)).await.body.to_string();
        logs.contains("order settled").then_some(())
    })
    .await;
}
