//! Kafka `payments.events`, `shipments.events`, `inventory.events` → [`Orders::settle`].

use std::sync::Arc;

use chassis::{
    database::Tx,
    events::{Event, Handler},
};
use proto::{
    inventory::v1::{InventoryEvent, inventory_event},
    limits,
    payments::v1::{PaymentEvent, payment_event},
    shipping::v1::{ShipmentEvent, shipment_event},
    topics::event_types as types,
};

use crate::{
    domain::Fact,
    orders::{Error, Orders},
};

/// Settles the order that a payment belongs to.
pub(crate) struct OnPayment(pub(crate) Arc<Orders>);

impl Handler for OnPayment {
    type Message = PaymentEvent;
    type Error = Error;
    const TYPES: &'static [&'static str] =
        &[types::PaymentAuthorized, types::PaymentDeclined, types::PaymentFailed];

    async fn handle(&self, event: Event<PaymentEvent>, tx: &mut Tx) -> Result<(), Error> {
        let fact = match event.body.event {
            Some(payment_event::Event::Authorized(_)) => Fact::PaymentAuthorized,
            Some(payment_event::Event::Declined(_)) => Fact::PaymentDeclined,
            Some(payment_event::Event::Failed(_)) => Fact::PaymentFailed,
            Some(payment_event::Event::Refunded(_)) | None => return Ok(()),
        };
        limits::check(&event.body)?;
        self.0.settle(tx, &event.body.order_id, &event.body.customer, fact).await
    }
}

/// Settles the order that a shipment belongs to.
pub(crate) struct OnShipment(pub(crate) Arc<Orders>);

impl Handler for OnShipment {
    type Message = ShipmentEvent;
    type Error = Error;
    const TYPES: &'static [&'static str] = &[types::ShipmentDispatched, types::ShipmentDelivered];

    async fn handle(&self, event: Event<ShipmentEvent>, tx: &mut Tx) -> Result<(), Error> {
        let fact = match event.body.event {
            Some(shipment_event::Event::Dispatched(_)) => Fact::ShipmentDispatched,
            Some(shipment_event::Event::Delivered(_)) => Fact::ShipmentDelivered,
            Some(shipment_event::Event::Returned(_)) | None => return Ok(()),
        };
        limits::check(&event.body)?;
        self.0.settle(tx, &event.body.order_id, &event.body.customer, fact).await
    }
}

/// Settles the order whose reservation expired.
pub(crate) struct OnReservation(pub(crate) Arc<Orders>);

impl Handler for OnReservation {
    type Message = InventoryEvent;
    type Error = Error;
    const TYPES: &'static [&'static str] = &[types::ReservationExpired];

    async fn handle(&self, event: Event<InventoryEvent>, tx: &mut Tx) -> Result<(), Error> {
        let Some(inventory_event::Event::ReservationExpired(_)) = event.body.event else {
            return Ok(());
        };
        limits::check(&event.body)?;
        self.0
            .settle(tx, &event.body.order_id, &event.body.customer, Fact::ReservationExpired)
            .await
    }
}
