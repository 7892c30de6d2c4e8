//! Payments → Kafka `payments.events`.

use chassis::database::now;
use proto::payments::v1::{
    PaymentAuthorized, PaymentDeclined, PaymentEvent, PaymentFailed, PaymentRefunded,
    payment_event::Event,
};

use crate::domain::{Payment, State};

/// What to tell of a payment that came into its state; nothing of one that is void, since nobody waits for it.
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
