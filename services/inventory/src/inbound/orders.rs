//! Kafka `orders.events` → [`Reservations::settle`].

use std::sync::Arc;

use chassis::{
    Kind,
    database::Tx,
    events::{Event, Handler},
};
use proto::{
    limits,
    orders::v1::{OrderEvent, order_event},
    topics::event_types as types,
};
use uuid::Uuid;

use crate::{
    domain::Fate,
    reservations::{Error, Reservations},
};

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
    const TYPES: &'static [&'static str] = &[types::OrderPaid, types::OrderCancelled];

    async fn handle(&self, event: Event<OrderEvent>, tx: &mut Tx) -> Result<(), Error> {
        let fate = match event.body.event {
            Some(order_event::Event::Paid(_)) => Fate::Paid,
            Some(order_event::Event::Cancelled(_)) => Fate::Cancelled,
            _ => return Ok(()),
        };
        limits::check(&event.body).map_err(|violations| Error::Malformed(violations.into()))?;
        let OrderEvent { order_id, customer, .. } = &event.body;
        self.reservations.settle(tx, order(order_id)?, customer, fate).await
    }
}

/// An order's id.
pub(super) fn order(text: &str) -> Result<Uuid, Error> {
    Uuid::parse_str(text).map_err(|cause| {
        let refused = chassis::Error::new(Kind::Invalid, format!("order id {text:?} is no UUID"));
        Error::Malformed(refused.field("order_id", cause.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same id is invalid in every attempt, so a retry is of no use.
    #[test]
    fn an_order_without_a_proper_id_is_not_worth_a_retry() {
        let refused = chassis::Error::from(order("o-1").unwrap_err());
        assert_eq!((refused.kind(), refused.kind().is_temporary()), (Kind::Invalid, false));
        assert_eq!(refused.message(), "order id \"o-1\" is no UUID");
    }
}
