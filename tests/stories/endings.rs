//! Every way in which an order ends, and what is undone in each.

use harness::{Gateway, Mesh, Options, Order};
use reqwest::Method;

async fn available(gateway: &Gateway) -> i64 {
    gateway.get("/api/products/teapot").await.body["available"].as_i64().expect("a number")
}

async fn cancelled_for(mesh: &Mesh, order: &Order, reason: &str) {
    let answer = mesh.gateway().until_status(order, "cancelled").await;
    assert_eq!(answer.text("/reason"), reason);
}

/// A declined payment: the order is cancelled, and its stock can be sold again.
pub(crate) async fn a_declined_payment_releases_the_stock(options: Options) {
    let mesh = options.start().await;
    let before = available(&mesh.gateway()).await;
    let order = mesh.gateway().place("tok_declined").await;
    cancelled_for(&mesh, &order, "payment_declined").await;
    mesh.audit().await;
    assert_eq!(available(&mesh.gateway()).await, before);
}

/// The third party never answers: after the time limit the order is cancelled.
pub(crate) async fn a_payment_without_an_answer_cancels_the_order(options: Options) {
    let mesh = options.set("MESH_PAYMENTS__PROVIDER_TIMEOUT", "200ms").start().await;
    let order = mesh.gateway().place("tok_down").await;
    cancelled_for(&mesh, &order, "payment_unavailable").await;
    mesh.audit().await;
}

/// The third party charges, but its response is lost, however often it is called: the order is cancelled, and the charge
/// refunded.
pub(crate) async fn a_charge_with_a_lost_answer_is_refunded(options: Options) {
    let mesh = options.set("MESH_PAYMENTS__PROVIDER_TIMEOUT", "200ms").start().await;
    let order = mesh.gateway().place("tok_lost").await;
    cancelled_for(&mesh, &order, "payment_unavailable").await;
    // The audit also reads the third party's ledger.
    mesh.audit().await;
    assert_eq!(
        mesh.metrics("payments")
            .await
            .sum("mesh_payments_resolved_total", &[("outcome", "refunded")]),
        1.0
    );
}

/// A customer cancels a paid order: it is refunded, its stock is released, and it is not shipped. A second cancellation
/// changes nothing, and a completed order stays completed.
pub(crate) async fn a_cancellation_before_dispatch_refunds_the_order(options: Options) {
    let mesh = options.set("MESH_SHIPPING__DISPATCH_AFTER", "1h").start().await;
    let gateway = mesh.gateway();
    let order = gateway.place("tok_ok").await;
    gateway.until_status(&order, "paid").await;
    for _ in 0..2 {
        let answer = gateway
            .send(Method::POST, &format!("/api/orders/{}/cancel", order.id), &[], None)
            .await;
        assert_eq!(
            (answer.status, answer.text("/status"), answer.text("/reason")),
            (200, "cancelled", "customer"),
            "{answer:?}"
        );
    }
    mesh.audit().await;
    let declined = gateway.place("tok_declined").await;
    gateway.until_status(&declined, "cancelled").await;
    let late =
        gateway.send(Method::POST, &format!("/api/orders/{}/cancel", declined.id), &[], None).await;
    assert_eq!((late.status, late.text("/type")), (409, "/problems/not-cancellable"));
}

/// The stock of an unpaid order is held for a limited time only.
pub(crate) async fn an_expired_reservation_cancels_the_order(options: Options) {
    let mesh = options.set("MESH_INVENTORY__RESERVATION_TTL", "1s").start().await;
    let order = mesh.gateway().place("tok_slow").await;
    cancelled_for(&mesh, &order, "reservation_expired").await;
    // The slow charge succeeds after all, and is refunded.
    mesh.audit().await;
}
