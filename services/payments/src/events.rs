//! The events on Kafka `payments.events`.

use proto::{
    payments::v1::{
        PaymentAuthorized, PaymentDeclined, PaymentEvent, PaymentFailed, PaymentRefunded,
        payment_event::Event,
    },
    values::Timestamp,
};

use crate::domain::{Payment, State};

/// The event for a payment's new state; `None` while the third party is asked, and for a void payment, which no service waits
/// for.
pub(crate) fn settled(payment: &Payment) -> Option<PaymentEvent> {
    let event = match payment.state.clone() {
        State::Authorized { charge } => Event::Authorized(PaymentAuthorized { charge_id: charge }),
        State::Declined { reason } => Event::Declined(PaymentDeclined { reason }),
        State::Unknown { .. } | State::Failed => Event::Failed(PaymentFailed {}),
        State::Refunded { charge } => Event::Refunded(PaymentRefunded { charge_id: charge }),
        State::Asking { .. } | State::Void => return None,
    };
    Some(PaymentEvent {
        order_id: payment.order.to_string(),
        customer: payment.customer.to_string(),
        occurred_at_us: Timestamp::now().into(),
        event: Some(event),
    })
}
