//! Kafka `orders.events` → [`Payments::ask`], then [`Payments::settle`].

use std::sync::Arc;

use chassis::{
    database::Tx,
    events::{Caller, Event},
    telemetry,
};
use proto::{
    limits,
    orders::v1::{OrderEvent, order_event},
    topics::event_types::{OrderCancelled, OrderPlaced},
};

use crate::{
    domain::{Answer, Money, Wish},
    payments::{Error, Order, Payments},
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

impl Caller for OnOrder {
    type Message = OrderEvent;
    type Error = Error;
    type Answer = (Order, Answer);
    const TYPES: &'static [&'static str] = &[OrderPlaced, OrderCancelled];

    async fn call(&self, event: &Event<OrderEvent>) -> Result<(Order, Answer), Error> {
        telemetry::annotate("order.id", event.body.order_id.clone());
        let order = Order::try_from(&event.body)?;
        let answer = self.payments.ask(&event.id, &order).await?;
        Ok((order, answer))
    }

    async fn handle(
        &self,
        _: Event<OrderEvent>,
        (order, answer): (Order, Answer),
        tx: &mut Tx,
    ) -> Result<(), Error> {
        self.payments.settle(tx, order, answer).await
    }
}

impl TryFrom<&OrderEvent> for Order {
    type Error = Error;

    fn try_from(event: &OrderEvent) -> Result<Self, Error> {
        limits::check(event)?;
        let wish = match &event.event {
            Some(order_event::Event::Placed(placed)) => {
                let total = placed.total.as_ref().ok_or(Error::Malformed("no total"))?;
                let amount = Money { currency: total.currency.clone(), minor: total.amount_minor };
                Wish::Pay { amount, token: placed.payment_token.clone() }
            }
            Some(order_event::Event::Cancelled(_)) => Wish::Cancel,
            _ => return Err(Error::Malformed("neither placed nor cancelled")),
        };
        Ok(Self { id: event.order_id.clone(), customer: event.customer.clone(), wish })
    }
}
