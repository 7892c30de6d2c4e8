//! Kafka `orders.events`, a batch at a time → [`Shipments::schedule`], [`Shipments::cancel`].

use std::sync::Arc;

use chassis::{
    database::Tx,
    events::{BatchHandler, Event},
    telemetry,
};
use proto::{
    limits,
    orders::v1::{OrderEvent, order_event::Event::Paid},
    topics::event_types::{OrderCancelled, OrderPaid},
};

use crate::shipments::{Error, Shipments};

/// Schedules shipments of orders that were paid for, and cancels those of orders that were cancelled.
pub(crate) struct OnOrders {
    shipments: Arc<Shipments>,
}

impl OnOrders {
    pub(crate) fn new(shipments: &Arc<Shipments>) -> Self {
        Self { shipments: Arc::clone(shipments) }
    }

    async fn one(&self, order: &OrderEvent, tx: &mut Tx) -> Result<(), Error> {
        limits::check(order)?;
        let OrderEvent { order_id, customer, event, .. } = order;
        match event {
            Some(Paid(_)) => self.shipments.schedule(tx, order_id, customer).await,
            _ => self.shipments.cancel(tx, order_id, customer).await,
        }
    }
}

impl BatchHandler for OnOrders {
    type Message = OrderEvent;
    type Error = Error;
    const TYPES: &'static [&'static str] = &[OrderPaid, OrderCancelled];

    async fn handle(&self, events: &[Event<OrderEvent>], tx: &mut Tx) -> Result<(), Error> {
        for event in events {
            // A batch of several events has a trace of its own, but each order continues its own trace.
            telemetry::in_context(&event.context, self.one(&event.body, tx)).await?;
        }
        Ok(())
    }
}
