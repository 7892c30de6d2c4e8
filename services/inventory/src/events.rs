//! The events on Kafka `inventory.events`.

use proto::{
    inventory::v1::{
        InventoryEvent, ReservationCommitted, ReservationExpired, ReservationReleased,
        inventory_event::Event,
    },
    values::{CustomerId, OrderId, Timestamp},
};

use crate::domain::Change;

/// The event after an order's outcome changed its reservation.
pub(crate) fn settled(
    order: &OrderId,
    customer: &CustomerId,
    change: Change,
    at: Timestamp,
) -> InventoryEvent {
    let event = match change {
        Change::Commit => Event::ReservationCommitted(ReservationCommitted {}),
        Change::Release | Change::Return => Event::ReservationReleased(ReservationReleased {}),
    };
    envelope(order, customer, event, at)
}

/// The event after a hold expired.
pub(crate) fn expired(order: &OrderId, customer: &CustomerId, at: Timestamp) -> InventoryEvent {
    envelope(order, customer, Event::ReservationExpired(ReservationExpired {}), at)
}

fn envelope(order: &OrderId, customer: &CustomerId, event: Event, at: Timestamp) -> InventoryEvent {
    InventoryEvent {
        order_id: order.to_string(),
        customer: customer.to_string(),
        occurred_at_us: at.as_micros(),
        event: Some(event),
    }
}
