//! Payments → Kafka `payments.events`.

use chassis::database::now;
use proto::payments::v1::{
    PaymentAuthorized, PaymentDeclined, PaymentEvent, PaymentFailed, PaymentRefunded,
    payment_event::Event,
};

use crate::domain::{Payment, State};

/// The event for a payment's new state; `None` while it is being asked for, and for a void payment, which no service waits for.
pub(crate) fn event(payment: &Payment) -> Option<PaymentEvent> {
    let event = match payment.state.clone() {
        State::Authorized { charge } => Event::Authorized(PaymentAuthorized { charge_id: charge }),
        State::Declined { reason } => Event::Declined(PaymentDeclined { reason }),
        State::Unknown { .. } | State::Failed => Event::Failed(PaymentFailed {}),
        State::Refunded { charge } => Event::Refunded(PaymentRefunded { charge_id: charge }),
        State::Asking { .. } | State::Void => return None,
    };
    Some(PaymentEvent {
        order_id: payment.order.clone(),
        customer: payment.customer.clone(),
        occurred_at_us: now(),
        event: Some(event),
    })
}
