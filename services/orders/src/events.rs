//! An order's events on Kafka.

use proto::{
    orders::v1::{
        Item, OrderCancelled, OrderCompleted, OrderDispatched, OrderEvent, OrderPaid, OrderPlaced,
        order_event::Event,
    },
    types::v1::Money,
};

use crate::{
    domain::{Order, Progress, Reason, Status, Step},
    inbound::grpc::wire,
};

/// The order was placed.
pub(crate) fn placed(order: &Order, payment_token: &str) -> OrderEvent {
    let money = |amount_minor| Money { currency: order.currency.clone(), amount_minor };
    let items = order.items.iter().map(|item| Item {
        sku: item.sku.clone(),
        quantity: i32::try_from(item.quantity).unwrap_or(i32::MAX),
        unit_price: Some(money(item.unit_minor)),
    });
    let event = Event::Placed(OrderPlaced {
        total: Some(money(order.total_minor)),
        payment_token: payment_token.to_owned(),
        items: items.collect(),
    });
    let at = order.progress.history.first().map_or(0, |step| step.at);
    envelope(&order.id, &order.customer, at, 1, event)
}

/// The events for the statuses that the order reached since `before`.
pub(crate) fn since(before: &Progress, order: &Order) -> Vec<OrderEvent> {
    let steps = order.progress.history.iter().enumerate().skip(before.revision());
    let told = steps.filter_map(|(index, Step { status, at })| {
        let event = match status {
            Status::Placed => return None,
            Status::Paid => Event::Paid(OrderPaid {}),
            Status::Dispatched => Event::Dispatched(OrderDispatched {}),
            Status::Completed => Event::Completed(OrderCompleted {}),
            Status::Cancelled => cancelled(order.progress.cancelled),
        };
        Some(envelope(&order.id, &order.customer, *at, index + 1, event))
    });
    told.collect()
}

/// Stock was reserved, but the order was never written: this event releases the stock.
pub(crate) fn abandoned(id: &str, customer: &str, at: i64) -> OrderEvent {
    envelope(id, customer, at, 1, cancelled(Some(Reason::ReservationExpired)))
}

fn cancelled(reason: Option<Reason>) -> Event {
    Event::Cancelled(OrderCancelled { reason: wire::reason(reason).into() })
}

fn envelope(id: &str, customer: &str, at: i64, revision: usize, event: Event) -> OrderEvent {
    OrderEvent {
        order_id: id.to_owned(),
        customer: customer.to_owned(),
        occurred_at_us: at,
        revision: i32::try_from(revision).unwrap_or(i32::MAX),
        event: Some(event),
    }
}
