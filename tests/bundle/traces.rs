//! A mesh's traces, through the real Collector, in the real Jaeger.

use std::collections::{BTreeMap, BTreeSet};

use harness::until;
use serde_json::Value;

use crate::stack::{Stack, list, text};

/// Sender and receiver of each edge: gRPC, both ways over Kafka, and NATS.
const EDGES: [[&str; 4]; 5] = [
    ["gateway", "mesh.orders.v1.Orders/Place", "orders", "mesh.orders.v1.Orders/Place"],
    ["orders", "send orders.events", "payments", "process orders.events"],
    ["payments", "send payments.events", "orders", "process payments.events"],
    ["shipping", "send shipments.events", "orders", "process shipments.events"],
    ["notifications", "send live.orders", "gateway", "process live.orders"],
];

struct Span<'a> {
    service: &'a str,
    name: &'a str,
    parent: &'a str,
}

fn spans(trace: &Value) -> BTreeMap<&str, Span<'_>> {
    let mut all = BTreeMap::new();
    for span in list(trace, "/spans") {
        let service = text(trace, &format!("/processes/{}/serviceName", text(span, "/processID")));
        // Jaeger marks a parent that is also linked, as over a broker, as FOLLOWS_FROM, and any other parent as CHILD_OF.
        let parent = text(span, "/references/0/spanID");
        let name = text(span, "/operationName");
        all.insert(text(span, "/spanID"), Span { service, name, parent });
    }
    all
}

/// The spans and edges that this trace still lacks.
fn missing(trace: &Value) -> Vec<String> {
    let spans = spans(trace);
    let services: BTreeSet<_> = spans.values().map(|span| span.service).collect();
    let mut missing: Vec<_> = registry::of_the_mesh()
        .filter(|one| !services.contains(one))
        .map(|one| format!("a span of {one}"))
        .collect();
    for [from, sent, to, received] in EDGES {
        let found = spans.values().any(|span| {
            let parent = spans.get(span.parent);
            span.service == to
                && span.name.starts_with(received)
                && parent
                    .is_some_and(|parent| parent.service == from && parent.name.starts_with(sent))
        });
        if !found {
            missing.push(format!("{from} {sent} → {to} {received}"));
        }
    }
    // Grafana uses this tag to lead from a span to the metrics of its service.
    for process in trace["processes"].as_object().into_iter().flat_map(|all| all.values()) {
        let service = text(process, "/serviceName");
        let named = list(process, "/tags")
            .iter()
            .any(|tag| text(tag, "/key") == "service" && text(tag, "/value") == service);
        if !named {
            missing.push(format!("the tag `service` of {service}"));
        }
    }
    let orphans =
        spans.values().filter(|span| !span.parent.is_empty() && !spans.contains_key(span.parent));
    missing.extend(orphans.map(|span| format!("the parent of {} {}", span.service, span.name)));
    missing
}

#[tokio::test]
#[ignore = "needs Collector and Jaeger: .ci/run has them"]
async fn an_order_is_one_trace_in_jaeger() {
    let stack = Stack::running();
    let slowly = stack
        .mesh()
        // Long enough to open the live stream.
        .set("MESH_SHIPPING__DISPATCH_AFTER", "300ms")
        .set("MESH_SHIPPING__DELIVER_AFTER", "300ms");
    let mesh = slowly.start().await;
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().live(&order).await;
    mesh.gateway().until_status(&order, "completed").await;
    let mut last = vec!["the trace".to_owned()];
    for _ in 0..200 {
        if let Some(trace) = stack.trace(&order.trace_id).await {
            last = missing(&trace);
        }
        if last.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("Jaeger lacks {last:#?} of {}", order.trace_id);
}

#[tokio::test]
#[ignore = "needs Collector and Jaeger: .ci/run has them"]
async fn jaeger_lists_every_service_but_itself() {
    let stack = Stack::running();
    let mesh = stack.mesh().start().await;
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&order, "completed").await;
    until("every service in Jaeger", || async {
        let answer = stack.get("JAEGER", "/api/services").await?;
        let names: BTreeSet<_> = list(&answer, "/data").iter().filter_map(Value::as_str).collect();
        assert!(!names.contains("jaeger"), "{names:?}");
        registry::of_the_mesh().all(|one| names.contains(one)).then_some(())
    })
    .await;
}
