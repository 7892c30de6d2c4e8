//! Kafka `payments.events` → [`Orders::settle`].

use std::sync::Arc;

use chassis::{
    database::Tx,
    events::{Event, Handler},
};
use proto::{
    payments::v1::PaymentEvent,
    topics::event_types::{PaymentAuthorized, PaymentDeclined, PaymentFailed},
};

use crate::{domain::Report, error::Error, orders::Orders};

/// Settles the order that a payment belongs to.
pub(crate) struct OnPayment {
    orders: Arc<Orders>,
}

impl OnPayment {
    pub(crate) fn new(orders: &Arc<Orders>) -> Self {
        Self { orders: Arc::clone(orders) }
    }
}

impl Handler for OnPayment {
    type Message = PaymentEvent;
    type Error = Error;
    const TYPES: &'static [&'static str] = &[PaymentAuthorized, PaymentDeclined, PaymentFailed];

    async fn handle(&self, event: Event<PaymentEvent>, tx: &mut Tx) -> Result<(), Error> {
        self.orders.settle(tx, Report::try_from(&event.body)?).await
    }
}
