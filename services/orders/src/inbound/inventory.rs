//! Kafka `inventory.events` → [`Orders::settle`].

use std::sync::Arc;

use chassis::{
    database::Tx,
    events::{Event, Handler},
};
use proto::{inventory::v1::InventoryEvent, topics::event_types::ReservationExpired};

use crate::{domain::Report, error::Error, orders::Orders};

/// Settles the order whose reservation expired.
pub(crate) struct OnReservation {
    orders: Arc<Orders>,
}

impl OnReservation {
    pub(crate) fn new(orders: &Arc<Orders>) -> Self {
        Self { orders: Arc::clone(orders) }
    }
}

impl Handler for OnReservation {
    type Message = InventoryEvent;
    type Error = Error;
    const TYPES: &'static [&'static str] = &[ReservationExpired];

    async fn handle(&self, event: Event<InventoryEvent>, tx: &mut Tx) -> Result<(), Error> {
        self.orders.settle(tx, Report::try_from(&event.body)?).await
    }
}
