//! Conversions from events to the live updates of a customer's page.

use chassis::contract::Envelope;
use proto::{
    inventory::v1::InventoryEvent,
    limits::Limited,
    notifications::v1::{LiveUpdate, StatusChange},
    orders::v1::{CancelReason, OrderEvent, Status, order_event},
    payments::v1::PaymentEvent,
    shipping::v1::ShipmentEvent,
};

/// An event that becomes a live update.
pub(crate) trait ToUpdate: Envelope + Limited {
    fn to_update(&self) -> LiveUpdate;
}

macro_rules! updates {
    ($($envelope:ident => $change:expr),+ $(,)?) => {$(
        impl ToUpdate for $envelope {
            fn to_update(&self) -> LiveUpdate {
                LiveUpdate {
                    order_id: self.order_id.clone(),
                    customer: self.customer.clone(),
                    occurred_at_us: self.occurred_at_us,
                    event_type: self.event_type().unwrap_or_default().to_owned(),
                    change: $change(self),
                }
            }
        }
    )+};
}

updates! {
    OrderEvent => change,
    PaymentEvent => |_| None,
    ShipmentEvent => |_| None,
    InventoryEvent => |_| None,
}

/// The status that an order took. Only the events of `orders` change it; the events of other services show what they do.
fn change(event: &OrderEvent) -> Option<StatusChange> {
    use order_event::Event::{Cancelled, Completed, Dispatched, Paid, Placed};
    let mut reason = CancelReason::Unspecified;
    let status = match event.event.as_ref()? {
        Placed(_) => Status::Placed,
        Paid(_) => Status::Paid,
        Dispatched(_) => Status::Dispatched,
        Completed(_) => Status::Completed,
        Cancelled(cancelled) => {
            reason = cancelled.reason();
            Status::Cancelled
        }
    };
    Some(StatusChange {
        status: status.into(),
        cancel_reason: reason.into(),
        revision: event.revision,
    })
}

#[cfg(test)]
mod tests {
    use proto::orders::v1::{OrderCancelled, OrderPaid};
    use proto::payments::v1::{PaymentAuthorized, payment_event};
    use proto::topics::event_types as types;

    use super::*;

    fn order(event: order_event::Event) -> OrderEvent {
        OrderEvent {
            order_id: "o-1".into(),
            customer: "ada".into(),
            occurred_at_us: 7,
            revision: 2,
            event: Some(event),
        }
    }

    #[test]
    fn an_event_of_orders_becomes_a_change_of_status() {
        let update = order(order_event::Event::Paid(OrderPaid {})).to_update();
        assert_eq!(
            (&*update.order_id, &*update.customer, update.occurred_at_us),
            ("o-1", "ada", 7)
        );
        assert_eq!(update.event_type, "mesh.orders.v1.OrderPaid");
        let change = update.change.unwrap();
        assert_eq!((change.status(), change.revision), (Status::Paid, 2));
    }

    #[test]
    fn a_cancelled_order_has_its_reason() {
        let reason = CancelReason::PaymentDeclined.into();
        let event = order(order_event::Event::Cancelled(OrderCancelled { reason }));
        let change = event.to_update().change.unwrap();
        assert_eq!(
            (change.status(), change.cancel_reason()),
            (Status::Cancelled, CancelReason::PaymentDeclined)
        );
    }

    #[test]
    fn an_event_of_payments_changes_no_status() {
        let event = Some(payment_event::Event::Authorized(PaymentAuthorized::default()));
        let event = PaymentEvent { order_id: "o-1".into(), event, ..Default::default() };
        let update = event.to_update();
        assert_eq!(update.event_type, types::PaymentAuthorized);
        assert_eq!(update.change, None);
    }
}
