//! Kafka `orders.events`, a batch at a time → [`Shipments::settle`].

use std::sync::Arc;

use chassis::{
    database::Tx,
    events::{BatchHandler, Event},
    telemetry,
};
use proto::{
    orders::v1::OrderEvent,
    topics::event_types::{OrderCancelled, OrderPaid},
};

use crate::{
    error::Error,
    shipments::{Order, Shipments},
};

/// Schedules the shipment of an order that was paid for, and cancels the shipment of an order that was cancelled.
pub(crate) struct OnOrder {
    shipments: Arc<Shipments>,
}

impl OnOrder {
    pub(crate) fn new(shipments: &Arc<Shipments>) -> Self {
        Self { shipments: Arc::clone(shipments) }
    }
}

impl BatchHandler for OnOrder {
    type Message = OrderEvent;
    type Error = Error;
    const TYPES: &'static [&'static str] = &[OrderPaid, OrderCancelled];

    async fn handle(&self, events: &[Event<OrderEvent>], tx: &mut Tx) -> Result<(), Error> {
        for event in events {
            let order = Order::try_from(&event.body)?;
            // A batch of several events has a trace of its own, but each order continues its own trace.
            telemetry::in_context(&event.context, self.shipments.settle(tx, order)).await?;
        }
        Ok(())
    }
}
