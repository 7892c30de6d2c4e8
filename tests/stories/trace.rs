//! One order is one trace.

use harness::Options;
use insta::assert_snapshot;
use reqwest::Method;

/// One request is one trace, across HTTP, gRPC, Kafka and NATS.
pub(crate) async fn one_order_is_one_trace(options: Options) {
    let mesh = options.start().await;
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&order, "completed").await;
    assert_snapshot!(mesh.story(&order.trace_id).await, @r"
    gateway POST /api/orders
    └─ orders mesh.orders.v1.Orders/Place
       ├─ catalog mesh.catalog.v1.Catalog/GetProducts
       ├─ inventory mesh.inventory.v1.Inventory/Reserve
       └─ orders send orders.events OrderPlaced
          ⇢ notifications process orders.events
             └─ notifications send live.orders.{customer}.{order}
          ⇢ payments process orders.events
             ├─ payments POST
             └─ payments send payments.events PaymentAuthorized
                ⇢ notifications process payments.events
                   └─ notifications send live.orders.{customer}.{order}
                ⇢ orders process payments.events
                   └─ orders send orders.events OrderPaid
                      ⇢ inventory process orders.events
                         └─ inventory send inventory.events ReservationCommitted
                            ⇢ notifications process inventory.events
                               └─ notifications send live.orders.{customer}.{order}
                      ⇢ notifications process orders.events
                         └─ notifications send live.orders.{customer}.{order}
                      ⇢ shipping process orders.events
                         ├─ shipping send shipments.events ShipmentDelivered
                         │  ⇢ notifications process shipments.events
                         │     └─ notifications send live.orders.{customer}.{order}
                         │  ⇢ orders process shipments.events
                         │     └─ orders send orders.events OrderCompleted
                         │        ⇢ notifications process orders.events
                         │           └─ notifications send live.orders.{customer}.{order}
                         └─ shipping send shipments.events ShipmentDispatched
                            ⇢ notifications process shipments.events
                               └─ notifications send live.orders.{customer}.{order}
                            ⇢ orders process shipments.events
                               └─ orders send orders.events OrderDispatched
                                  ⇢ notifications process orders.events
                                     └─ notifications send live.orders.{customer}.{order}
    ");
}

/// A cancellation: what is undone belongs to the order's trace, although another request caused it.
pub(crate) async fn a_cancelled_order_is_one_trace(options: Options) {
    let mesh = options.set("MESH_SHIPPING__DISPATCH_AFTER", "1h").start().await;
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&order, "paid").await;
    // Shipping reads batches: a batch of one event continues the order's trace, a batch of two has a trace of its own.
    // Shipping must have handled `OrderPaid` before `OrderCancelled` is published, so that each is a batch of one.
    mesh.collector().until_span(&order.trace_id, "shipping").await;
    let cancelled = mesh
        .gateway()
        .send(Method::POST, &format!("/api/orders/{}/cancel", order.id), &[], None)
        .await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    assert_snapshot!(mesh.story(&order.trace_id).await, @r"
    gateway POST /api/orders
    └─ orders mesh.orders.v1.Orders/Place
       ├─ catalog mesh.catalog.v1.Catalog/GetProducts
       ├─ inventory mesh.inventory.v1.Inventory/Reserve
       ├─ orders send orders.events OrderCancelled
       │  ⇢ inventory process orders.events
       │     └─ inventory send inventory.events ReservationReleased
       │        ⇢ notifications process inventory.events
       │           └─ notifications send live.orders.{customer}.{order}
       │  ⇢ notifications process orders.events
       │     └─ notifications send live.orders.{customer}.{order}
       │  ⇢ payments process orders.events
       │     ├─ payments POST
       │     └─ payments send payments.events PaymentRefunded
       │        ⇢ notifications process payments.events
       │           └─ notifications send live.orders.{customer}.{order}
       │  ⇢ shipping process orders.events
       └─ orders send orders.events OrderPlaced
          ⇢ notifications process orders.events
             └─ notifications send live.orders.{customer}.{order}
          ⇢ payments process orders.events
             ├─ payments POST
             └─ payments send payments.events PaymentAuthorized
                ⇢ notifications process payments.events
                   └─ notifications send live.orders.{customer}.{order}
                ⇢ orders process payments.events
                   └─ orders send orders.events OrderPaid
                      ⇢ inventory process orders.events
                         └─ inventory send inventory.events ReservationCommitted
                            ⇢ notifications process inventory.events
                               └─ notifications send live.orders.{customer}.{order}
                      ⇢ notifications process orders.events
                         └─ notifications send live.orders.{customer}.{order}
                      ⇢ shipping process orders.events
    ");
}
