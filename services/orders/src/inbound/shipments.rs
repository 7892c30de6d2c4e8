//! Kafka `shipments.events` → [`Orders::settle`].

use std::sync::Arc;

use chassis::{
    database::Tx,
    events::{Event, Handler},
};
use proto::{
    shipping::v1::ShipmentEvent,
    topics::event_types::{ShipmentDelivered, ShipmentDispatched},
};

use crate::{domain::Report, error::Error, orders::Orders};

/// Settles the order that a shipment belongs to.
pub(crate) struct OnShipment {
    orders: Arc<Orders>,
}

impl OnShipment {
    pub(crate) fn new(orders: &Arc<Orders>) -> Self {
        Self { orders: Arc::clone(orders) }
    }
}

impl Handler for OnShipment {
    type Message = ShipmentEvent;
    type Error = Error;
    const TYPES: &'static [&'static str] = &[ShipmentDelivered, ShipmentDispatched];

    async fn handle(&self, event: Event<ShipmentEvent>, tx: &mut Tx) -> Result<(), Error> {
        self.orders.settle(tx, Report::try_from(&event.body)?).await
    }
}
