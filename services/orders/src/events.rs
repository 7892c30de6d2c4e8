//! The events on Kafka `orders.events`.

use proto::{
    orders::v1::{
        OrderCancelled, OrderCompleted, OrderDispatched, OrderEvent, OrderPaid, OrderPlaced,
        order_event::Event,
    },
    values::{CustomerId, OrderId, Timestamp},
};

use crate::{
    domain::{Order, Progress, Reason, Status, Step},
    wire,
};

/// The order was placed.
pub(crate) fn placed(order: &Order, payment_token: &str) -> OrderEvent {
    let event = Event::Placed(OrderPlaced {
        total: Some(order.total.clone().into()),
        payment_token: payment_token.to_owned(),
        items: wire::items(order),
    });
    envelope(&order.id, &order.customer, order.progress.placed_at(), 1, event)
}

/// The events for the statuses that the order reached since `before`.
pub(crate) fn since(before: &Progress, order: &Order) -> Vec<OrderEvent> {
    let steps = (before.revision() + 1..).zip(order.progress.since(before));
    let events = steps.filter_map(|(revision, Step { status, at })| {
        let event = match status {
            Status::Placed => return None,
            Status::Paid => Event::Paid(OrderPaid {}),
            Status::Dispatched => Event::Dispatched(OrderDispatched {}),
            Status::Completed => Event::Completed(OrderCompleted {}),
            Status::Cancelled => cancelled(order.progress.cancelled),
        };
        Some(envelope(&order.id, &order.customer, *at, revision, event))
    });
    events.collect()
}

/// Stock was reserved, but the order was never written: this event releases the stock.
pub(crate) fn abandoned(order: &OrderId, customer: &CustomerId, at: Timestamp) -> OrderEvent {
    envelope(order, customer, at, 1, cancelled(Some(Reason::ReservationExpired)))
}

fn cancelled(reason: Option<Reason>) -> Event {
    Event::Cancelled(OrderCancelled { reason: wire::wire_reason(reason).into() })
}

fn envelope(
    order: &OrderId,
    customer: &CustomerId,
    at: Timestamp,
    revision: i32,
    event: Event,
) -> OrderEvent {
    OrderEvent {
        order_id: order.to_string(),
        customer: customer.to_string(),
        occurred_at_us: at.as_micros(),
        revision,
        event: Some(event),
    }
}
