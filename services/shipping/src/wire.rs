//! Conversions between messages and domain types.

use proto::{
    limits,
    orders::v1::{OrderEvent, order_event::Event},
    shipping::v1::{Shipment as Listed, shipment},
};

use crate::{
    domain::{OrderOutcome, State},
    error::Error,
    shipments::Order,
    store::Entry,
};

impl TryFrom<&OrderEvent> for Order {
    type Error = Error;

    fn try_from(event: &OrderEvent) -> Result<Self, Error> {
        limits::check(event)?;
        let outcome = match event.event {
            Some(Event::Paid(_)) => OrderOutcome::Paid,
            Some(Event::Cancelled(_)) => OrderOutcome::Cancelled,
            _ => return Err(Error::Malformed("neither paid nor cancelled")),
        };
        Ok(Self {
            id: event.order_id.as_str().try_into()?,
            customer: event.customer.as_str().try_into()?,
            outcome,
        })
    }
}

impl From<Entry> for Listed {
    fn from(Entry { order, state }: Entry) -> Self {
        let state = match state {
            State::Scheduled => shipment::State::Scheduled,
            State::Dispatched => shipment::State::Dispatched,
            State::Delivered => shipment::State::Delivered,
            State::Cancelled => shipment::State::Cancelled,
            State::Returned => shipment::State::Returned,
            State::Void => shipment::State::Unspecified,
        };
        Self { order_id: order.into(), state: state.into() }
    }
}
