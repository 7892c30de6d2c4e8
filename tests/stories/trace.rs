//! One order is one trace.

use harness::Options;
use insta::assert_snapshot;
use reqwest::Method;

/// One click is one story, across HTTP, gRPC, Kafka and NATS.
pub(crate) async fn one_order_is_one_trace(options: Options) {
    let mesh = options.start().await;
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&order, "completed").await;
    assert_snapshot!(mesh.story(&order.trace_id).await, @"");
}

/// The other ending: what is undone belongs to the order's story, though another request asked for it.
pub(crate) async fn a_cancelled_order_is_one_trace_too(options: Options) {
    let mesh = options.set("MESH_SHIPPING__DISPATCH_AFTER", "1h").start().await;
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&order, "paid").await;
    let cancelled = mesh.gateway().send(Method::POST, &format!("/api/orders/{}/cancel", order.id), &[], None).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    assert_snapshot!(mesh.story(&order.trace_id).await, @"");
}
