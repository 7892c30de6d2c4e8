//! Shipments → Kafka `shipments.events`.

use chassis::database::now;
use proto::shipping::v1::{
    ShipmentDelivered, ShipmentDispatched, ShipmentEvent, ShipmentReturned, shipment_event::Event,
};

use crate::{domain::State, store::Shipment};

/// The event for a shipment's new state; `None` if the parcel has not left the warehouse.
pub(crate) fn event(shipment: &Shipment) -> Option<ShipmentEvent> {
    let event = match shipment.state {
        State::Dispatched => Event::Dispatched(ShipmentDispatched {}),
        State::Delivered => Event::Delivered(ShipmentDelivered {}),
        State::Returned => Event::Returned(ShipmentReturned {}),
        State::Scheduled | State::Cancelled | State::Void => return None,
    };
    Some(ShipmentEvent {
        order_id: shipment.order.clone(),
        customer: shipment.customer.clone(),
        occurred_at_us: now(),
        event: Some(event),
    })
}
