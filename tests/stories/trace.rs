//! One order is one trace.

use std::time::{SystemTime, UNIX_EPOCH};

use harness::{Mesh, Options, websocket::WebSocket};
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};

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

/// What the console's tracer sends for an order that is placed by a click, in the format of OTLP. The tracer's own test compares
/// it with what the tracer makes.
const PAGE: &str = include_str!("trace/browser.json");

/// The trace begins in the browser and ends when the result is painted.
#[expect(clippy::too_many_lines, reason = "the trace is long, and is read as one")]
pub(crate) async fn a_trace_goes_from_the_click_to_the_screen(options: Options) {
    let mesh = options.start().await;
    assert_snapshot!(mesh.story(&placed_by_a_click(&mesh).await).await, @r#"
    browser click "Place an order"
    └─ browser POST /api/orders
       └─ gateway POST /api/orders
          └─ orders mesh.orders.v1.Orders/Place
             ├─ catalog mesh.catalog.v1.Catalog/GetProducts
             ├─ inventory mesh.inventory.v1.Inventory/Reserve
             └─ orders send orders.events OrderPlaced
                ⇢ notifications process orders.events
                   └─ notifications send live.orders.{customer}.{order}
                      ⇢ gateway process live.orders.{customer}.{order}
                ⇢ payments process orders.events
                   ├─ payments POST
                   └─ payments send payments.events PaymentAuthorized
                      ⇢ notifications process payments.events
                         └─ notifications send live.orders.{customer}.{order}
                            ⇢ gateway process live.orders.{customer}.{order}
                      ⇢ orders process payments.events
                         └─ orders send orders.events OrderPaid
                            ⇢ inventory process orders.events
                               └─ inventory send inventory.events ReservationCommitted
                                  ⇢ notifications process inventory.events
                                     └─ notifications send live.orders.{customer}.{order}
                                        ⇢ gateway process live.orders.{customer}.{order}
                            ⇢ notifications process orders.events
                               └─ notifications send live.orders.{customer}.{order}
                                  ⇢ gateway process live.orders.{customer}.{order}
                            ⇢ shipping process orders.events
                               ├─ shipping send shipments.events ShipmentDelivered
                               │  ⇢ notifications process shipments.events
                               │     └─ notifications send live.orders.{customer}.{order}
                               │        ⇢ gateway process live.orders.{customer}.{order}
                               │  ⇢ orders process shipments.events
                               │     └─ orders send orders.events OrderCompleted
                               │        ⇢ notifications process orders.events
                               │           └─ notifications send live.orders.{customer}.{order}
                               │              ⇢ gateway process live.orders.{customer}.{order}
                               │                 ⇢ browser receive live.orders
                               │                    └─ browser paint order
                               └─ shipping send shipments.events ShipmentDispatched
                                  ⇢ notifications process shipments.events
                                     └─ notifications send live.orders.{customer}.{order}
                                        ⇢ gateway process live.orders.{customer}.{order}
                                  ⇢ orders process shipments.events
                                     └─ orders send orders.events OrderDispatched
                                        ⇢ notifications process orders.events
                                           └─ notifications send live.orders.{customer}.{order}
                                              ⇢ gateway process live.orders.{customer}.{order}
    "#);
}

/// Does what a page does for a click, up to the paint of the completed order; returns the trace.
async fn placed_by_a_click(mesh: &Mesh) -> String {
    let mut socket = WebSocket::open(mesh.base()).await;
    socket.send(&json!({ "type": "subscribe", "id": "page", "to": { "everything": true } })).await;
    until(&mut socket, |message| message["type"] == "subscribed").await;

    let recorded: Value = serde_json::from_str(PAGE).expect("JSON");
    let spans = recorded.pointer("/0/resourceSpans/0/scopeSpans/0/spans").expect("spans");
    let [post, _click, receive, _paint] = spans.as_array().map_or(&[][..], Vec::as_slice) else {
        panic!("{spans}");
    };
    let trace_id = text(post, "traceId");
    let traceparent = format!("00-{trace_id}-{}-01", text(post, "spanId"));
    let order = json!({ "items": [{ "sku": "teapot", "quantity": 1 }], "payment_token": "tok_ok" });
    let headers = [("traceparent", traceparent.as_str())];
    let placed =
        mesh.gateway().send(Method::POST, "/api/orders", &headers, Some(&order.to_string())).await;
    assert_eq!((placed.status, placed.text("/trace_id")), (202, trace_id));

    let updates = until(&mut socket, |message| {
        updates(message).iter().any(|update| update["status"] == "completed")
    });
    let updates = updates.await;
    let last = updates.iter().find(|update| update["status"] == "completed").expect("is there");
    let delivery = text(last, "traceparent").split('-').nth(2).expect("the id of a span");
    let body = PAGE.replace(text(receive, "parentSpanId"), delivery);
    let sent = shifted(serde_json::from_str(&body).expect("JSON"));
    let answer = mesh
        .gateway()
        .send(Method::POST, "/api/otlp/v1/traces", &[], Some(&sent[0].to_string()))
        .await;
    assert_eq!((answer.status, answer.body), (200, json!({})));
    trace_id.to_owned()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}"))
}

fn updates(message: &Value) -> Vec<Value> {
    message["updates"].as_array().cloned().unwrap_or_default()
}

/// Reads up to a message; returns its updates.
async fn until(socket: &mut WebSocket, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
    loop {
        let message = socket.message().await.expect("a message");
        if is_it(&message) {
            return updates(&message);
        }
    }
}

/// The recorded spans, as if the last one had ended now.
fn shifted(mut recorded: Value) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let spans = recorded.pointer_mut("/0/resourceSpans/0/scopeSpans/0/spans").expect("spans");
    let times = ["startTimeUnixNano", "endTimeUnixNano"];
    let at = |span: &Value, time: &str| text(span, time).parse::<u128>().expect("nanoseconds");
    let spans = spans.as_array_mut().expect("a list");
    let last = spans.iter().map(|span| at(span, "endTimeUnixNano")).max().expect("a span");
    for span in spans {
        for time in times {
            span[time] = (now - (last - at(span, time))).to_string().into();
        }
    }
    recorded
}
