//! The events on Kafka `shipments.events`.

use proto::{
    shipping::v1::{
        ShipmentDelivered, ShipmentDispatched, ShipmentEvent, ShipmentReturned,
        shipment_event::Event,
    },
    values::Timestamp,
};

use crate::{domain::State, store::Shipment};

/// The event after a shipment took its state; `None` if the parcel has not left the warehouse.
pub(crate) fn changed(shipment: &Shipment, at: Timestamp) -> Option<ShipmentEvent> {
    let event = match shipment.state {
        State::Dispatched => Event::Dispatched(ShipmentDispatched {}),
        State::Delivered => Event::Delivered(ShipmentDelivered {}),
        State::Returned => Event::Returned(ShipmentReturned {}),
        State::Scheduled | State::Cancelled | State::Void => return None,
    };
    Some(ShipmentEvent {
        order_id: shipment.order.to_string(),
        customer: shipment.customer.to_string(),
        occurred_at_us: at.as_micros(),
        event: Some(event),
    })
}
