//! Kafka `orders.events` → [`Payments::call_provider`], then [`Payments::settle`].

use std::sync::Arc;

use chassis::{
    database::Tx,
    events::{Event, SideEffectHandler},
    telemetry,
};
use proto::{
    orders::v1::OrderEvent,
    topics::event_types::{OrderCancelled, OrderPlaced},
};

use crate::{
    domain::{Order, Outcome},
    error::Error,
    payments::Payments,
};

/// Charges an order that was placed, and refunds one that was cancelled.
pub(crate) struct OnOrder {
    payments: Arc<Payments>,
}

impl OnOrder {
    pub(crate) fn new(payments: &Arc<Payments>) -> Self {
        Self { payments: Arc::clone(payments) }
    }
}

impl SideEffectHandler for OnOrder {
    type Message = OrderEvent;
    type Error = Error;
    type Answer = (Order, Outcome);
    const TYPES: &'static [&'static str] = &[OrderPlaced, OrderCancelled];

    async fn call(&self, event: &Event<OrderEvent>) -> Result<(Order, Outcome), Error> {
        telemetry::annotate("order.id", event.body.order_id.clone());
        let order = Order::try_from(&event.body)?;
        let outcome = self.payments.call_provider(&event.id, &order).await?;
        Ok((order, outcome))
    }

    async fn handle(
        &self,
        _: Event<OrderEvent>,
        (order, outcome): (Order, Outcome),
        tx: &mut Tx,
    ) -> Result<(), Error> {
        self.payments.settle(tx, order, outcome).await
    }
}
