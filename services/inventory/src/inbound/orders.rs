//! Kafka `orders.events` → [`Reservations::settle`].

use std::sync::Arc;

use chassis::{
    database::Tx,
    events::{Event, Handler},
};
use proto::{
    orders::v1::OrderEvent,
    topics::event_types::{OrderCancelled, OrderPaid},
};

use crate::{domain::Order, error::Error, reservations::Reservations};

/// Settles the reservation of an order that was paid for or cancelled.
pub(crate) struct OnOrder {
    reservations: Arc<Reservations>,
}

impl OnOrder {
    pub(crate) fn new(reservations: &Arc<Reservations>) -> Self {
        Self { reservations: Arc::clone(reservations) }
    }
}

impl Handler for OnOrder {
    type Message = OrderEvent;
    type Error = Error;
    const TYPES: &'static [&'static str] = &[OrderPaid, OrderCancelled];

    async fn handle(&self, event: Event<OrderEvent>, tx: &mut Tx) -> Result<(), Error> {
        self.reservations.settle(tx, Order::try_from(&event.body)?).await
    }
}
