//! The contract of the tests: topics that are keyed by order.

use chassis::contract::{Envelope, Topic};

/// Every topic's name.
pub(crate) const TOPICS: [&str; 2] = [Orders::NAME, "payments.events"];

/// The CloudEvents types of the events.
pub(crate) const PLACED: &str = "mesh.orders.v1.OrderPlaced";
const PAID: &str = "mesh.orders.v1.OrderPaid";

pub(crate) struct Orders;

impl Topic for Orders {
    type Envelope = OrderEvent;
    const NAME: &'static str = "orders.events";

    fn key(message: &OrderEvent) -> &str {
        &message.order_id
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OrderEvent {
    #[prost(string, tag = "1")]
    pub(crate) order_id: String,
    #[prost(string, tag = "2")]
    pub(crate) customer: String,
    #[prost(int32, tag = "3")]
    pub(crate) revision: i32,
    #[prost(oneof = "Change", tags = "10, 11")]
    pub(crate) change: Option<Change>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Change {
    #[prost(message, tag = "10")]
    Placed(OrderPlaced),
    #[prost(message, tag = "11")]
    Paid(OrderPaid),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OrderPlaced {}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OrderPaid {}

impl Envelope for OrderEvent {
    type Topic = Orders;
    const TYPES: &'static [&'static str] = &[PLACED, PAID];

    fn event_type(&self) -> Option<&'static str> {
        Some(match self.change.as_ref()? {
            Change::Placed(_) => PLACED,
            Change::Paid(_) => PAID,
        })
    }
}
