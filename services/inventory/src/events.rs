//! The events of reservations on Kafka.

use proto::inventory::v1::{
    InventoryEvent, ReservationCommitted, ReservationExpired, ReservationReleased,
    inventory_event::Event,
};
use uuid::Uuid;

use crate::domain::Change;

/// The event after an order's fate changed its reservation.
pub(crate) fn settled(order: Uuid, customer: &str, change: Change, at: i64) -> InventoryEvent {
    let event = match change {
        Change::Commit => Event::ReservationCommitted(ReservationCommitted {}),
        Change::Release | Change::Return => Event::ReservationReleased(ReservationReleased {}),
    };
    envelope(order, customer, event, at)
}

/// The event after a hold expired.
pub(crate) fn expired(order: Uuid, customer: &str, at: i64) -> InventoryEvent {
    envelope(order, customer, Event::ReservationExpired(ReservationExpired {}), at)
}

fn envelope(order: Uuid, customer: &str, event: Event, occurred_at_us: i64) -> InventoryEvent {
    InventoryEvent {
        order_id: order.to_string(),
        customer: customer.to_owned(),
        occurred_at_us,
        event: Some(event),
    }
}
