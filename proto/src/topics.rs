//! Kafka topics: each name with the type of its messages, so that nobody can send one what another expects.

use std::marker::PhantomData;

use crate::{
    inventory::v1::{InventoryEvent, inventory_event},
    orders::v1::{OrderEvent, order_event},
    payments::v1::{PaymentEvent, payment_event},
    shipping::v1::{ShipmentEvent, shipment_event},
};

/// The stock's events.
pub const INVENTORY: Topic<InventoryEvent> = Topic::new("inventory.events");
/// The orders' events.
pub const ORDERS: Topic<OrderEvent> = Topic::new("orders.events");
/// The payments' events.
pub const PAYMENTS: Topic<PaymentEvent> = Topic::new("payments.events");
/// The shipments' events.
pub const SHIPMENTS: Topic<ShipmentEvent> = Topic::new("shipments.events");

/// Every topic's name, for whoever creates them.
pub const ALL: [&str; 4] = [INVENTORY.name, ORDERS.name, PAYMENTS.name, SHIPMENTS.name];

/// How many partitions a topic gets where the mesh creates it: as many replicas of a service can share its work.
pub const PARTITIONS: i32 = 3;

/// What the name of a topic's dead-letter topic ends with.
pub const DEAD_LETTER_SUFFIX: &str = ".dlq";

/// A topic's name, and the type of its messages.
pub struct Topic<M> {
    /// The name on the broker.
    pub name: &'static str,
    message: PhantomData<fn() -> M>,
}

impl<M> Topic<M> {
    const fn new(name: &'static str) -> Self {
        Self { name, message: PhantomData }
    }
}

impl<M> Clone for Topic<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Topic<M> {}

/// The one message of a topic: whose story it belongs to, and what happened.
pub trait Envelope: crate::Message + Default + 'static {
    /// The topic it travels on.
    const TOPIC: Topic<Self>;
    /// The record's key; events with the same key are handled in order.
    fn key(&self) -> &str;
    /// The CloudEvents `type`: the full protobuf name of the event inside; `None` if this version does not know it.
    fn event_type(&self) -> Option<&'static str>;
}

macro_rules! envelopes {
    ($($topic:ident: $message:ident in $package:ident, $events:ident { $($variant:ident => $event:ident),+ $(,)? })+) => {
        $(
            impl Envelope for $message {
                const TOPIC: Topic<Self> = $topic;
                fn key(&self) -> &str {
                    &self.order_id
                }
                fn event_type(&self) -> Option<&'static str> {
                    Some(match self.event.as_ref()? {
                        $($events::Event::$variant(_) => event_types::$event,)+
                    })
                }
            }
        )+

        /// The CloudEvents `type` of every event.
        pub mod event_types {
            $($(
                #[doc = concat!("`", stringify!($event), "` on [`super::", stringify!($topic), "`].")]
                #[expect(non_upper_case_globals, reason = "named like the messages")]
                pub const $event: &str = concat!("mesh.", stringify!($package), ".v1.", stringify!($event));
            )+)+
        }
    };
}

envelopes! {
    INVENTORY: InventoryEvent in inventory, inventory_event {
        ReservationExpired => ReservationExpired,
        ReservationCommitted => ReservationCommitted,
        ReservationReleased => ReservationReleased,
    }
    ORDERS: OrderEvent in orders, order_event {
        Placed => OrderPlaced,
        Paid => OrderPaid,
        Dispatched => OrderDispatched,
        Completed => OrderCompleted,
        Cancelled => OrderCancelled,
    }
    PAYMENTS: PaymentEvent in payments, payment_event {
        Authorized => PaymentAuthorized,
        Declined => PaymentDeclined,
        Failed => PaymentFailed,
        Refunded => PaymentRefunded,
    }
    SHIPMENTS: ShipmentEvent in shipping, shipment_event {
        Dispatched => ShipmentDispatched,
        Delivered => ShipmentDelivered,
        Returned => ShipmentReturned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_type_is_the_name_of_its_message() {
        let event = OrderEvent {
            order_id: "o-1".into(),
            event: Some(order_event::Event::Paid(Default::default())),
            ..Default::default()
        };
        assert_eq!(event.event_type(), Some("mesh.orders.v1.OrderPaid"));
        assert_eq!(event.key(), "o-1");
        assert_eq!(OrderEvent::TOPIC.name, "orders.events");
    }

    #[test]
    fn an_unknown_event_has_no_type() {
        assert_eq!(OrderEvent::default().event_type(), None);
    }
}
