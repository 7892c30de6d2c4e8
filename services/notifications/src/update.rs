//! The live update that a customer's page gets of an event.

use proto::{
    inventory::v1::InventoryEvent,
    limits::Limited,
    notifications::v1::{LiveUpdate, StatusChange},
    orders::v1::{CancelReason, OrderEvent, Status, order_event},
    payments::v1::PaymentEvent,
    shipping::v1::ShipmentEvent,
    topics::Envelope,
};

/// An event that can be turned into a live update.
pub(crate) trait News: Envelope + Limited {
    fn update(&self) -> LiveUpdate;
}

macro_rules! news {
    ($($envelope:ident => $change:expr),+ $(,)?) => {
        $(
            impl News for $envelope {
                fn update(&self) -> LiveUpdate {
                    LiveUpdate {
                        order_id: self.order_id.clone(),
                        customer: self.customer.clone(),
                        occurred_at_us: self.occurred_at_us,
                        event_type: self.event_type().unwrap_or_default().to_owned(),
                        change: $change(self),
                    }
                }
            }
        )+
    };
}

news! {
    OrderEvent => change,
    PaymentEvent => |_| None,
    ShipmentEvent => |_| None,
    InventoryEvent => |_| None,
}

/// Only an order's own events change its status; the others show what happens in other services.
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
    fn an_orders_event_is_a_change_of_its_status() {
        let update = order(order_event::Event::Paid(OrderPaid {})).update();
        assert_eq!(
            (&*update.order_id, &*update.customer, update.occurred_at_us),
            ("o-1", "ada", 7)
        );
        assert_eq!(update.event_type, "mesh.orders.v1.OrderPaid");
        let change = update.change.unwrap();
        assert_eq!((change.status(), change.revision), (Status::Paid, 2));
    }

    #[test]
    fn a_cancelled_order_says_why() {
        let reason = CancelReason::PaymentDeclined.into();
        let change = order(order_event::Event::Cancelled(OrderCancelled { reason }))
            .update()
            .change
            .unwrap();
        assert_eq!(
            (change.status(), change.cancel_reason()),
            (Status::Cancelled, CancelReason::PaymentDeclined)
        );
    }

    #[test]
    fn a_payments_event_changes_no_status() {
        let event = Some(payment_event::Event::Authorized(PaymentAuthorized::default()));
        let update = PaymentEvent { order_id: "o-1".into(), event, ..Default::default() }.update();
        assert_eq!(update.event_type, types::PaymentAuthorized);
        assert_eq!(update.change, None);
    }
}
