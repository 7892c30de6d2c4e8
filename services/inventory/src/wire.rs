//! Conversions between messages and domain types.

use proto::{
    inventory::v1::{Item as WireItem, Reservation as Listed, ReserveRequest, reservation},
    limits,
    orders::v1::{OrderEvent, order_event::Event},
};

use crate::{
    domain::{Item, Order, OrderOutcome, Request, Reservation, State},
    error::Error,
};

impl TryFrom<ReserveRequest> for Request {
    type Error = Error;

    fn try_from(request: ReserveRequest) -> Result<Self, Error> {
        let items: Result<_, _> = request.items.into_iter().map(Item::try_from).collect();
        Ok(Self {
            order: request.order_id.try_into()?,
            customer: request.customer.try_into()?,
            items: items?,
        })
    }
}

impl TryFrom<WireItem> for Item {
    type Error = Error;

    fn try_from(item: WireItem) -> Result<Self, Error> {
        Ok(Self { sku: item.sku.try_into()?, quantity: item.quantity.try_into()? })
    }
}

impl From<Item> for WireItem {
    fn from(Item { sku, quantity }: Item) -> Self {
        Self { sku: sku.into(), quantity: quantity.into() }
    }
}

impl From<Reservation> for Listed {
    fn from(reservation: Reservation) -> Self {
        let state = match reservation.state {
            State::Held => reservation::State::Held,
            State::Committed => reservation::State::Committed,
            State::Released => reservation::State::Released,
        };
        Self {
            order_id: reservation.order.into(),
            state: state.into(),
            items: reservation.items.into_iter().map(Into::into).collect(),
        }
    }
}

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
