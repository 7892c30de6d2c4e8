//! Kafka topics: each name with the type of its messages, so that no service can send a message that consumers do not expect.

pub use chassis::contract::{DEAD_LETTER_SUFFIX, Envelope, Topic};

use crate::{
    inventory::v1::{InventoryEvent, inventory_event},
    orders::v1::{OrderEvent, order_event},
    payments::v1::{PaymentEvent, payment_event},
    shipping::v1::{ShipmentEvent, shipment_event},
};

/// Every topic's name, for the commands that create topics.
pub const ALL: [&str; 4] = [Inventory::NAME, Orders::NAME, Payments::NAME, Shipments::NAME];

/// How many partitions a topic gets where the mesh creates it: as many replicas of a service can share its work.
pub const PARTITIONS: i32 = 3;

macro_rules! topics {
    ($(
        $(#[$doc:meta])+
        $topic:ident = $name:literal by $key:ident: $message:ident in $package:ident,
        $events:ident { $($variant:ident => $event:ident),+ $(,)? }
    )+) => {
        $(
            $(#[$doc])+
            #[derive(Clone, Copy, Debug)]
            pub struct $topic;

            impl Topic for $topic {
                type Envelope = $message;
                const NAME: &'static str = $name;
                fn key(message: &$message) -> &str {
                    &message.$key
                }
            }

            impl Envelope for $message {
                type Topic = $topic;
                const TYPES: &'static [&'static str] = &[$(event_types::$event),+];
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

topics! {
    /// The stock's events.
    Inventory = "inventory.events" by order_id: InventoryEvent in inventory, inventory_event {
        ReservationExpired => ReservationExpired,
        ReservationCommitted => ReservationCommitted,
        ReservationReleased => ReservationReleased,
    }
    /// The orders' events.
    Orders = "orders.events" by order_id: OrderEvent in orders, order_event {
        Placed => OrderPlaced,
        Paid => OrderPaid,
        Dispatched => OrderDispatched,
        Completed => OrderCompleted,
        Cancelled => OrderCancelled,
    }
    /// The payments' events.
    Payments = "payments.events" by order_id: PaymentEvent in payments, payment_event {
        Authorized => PaymentAuthorized,
        Declined => PaymentDeclined,
        Failed => PaymentFailed,
        Refunded => PaymentRefunded,
    }
    /// The shipments' events.
    Shipments = "shipments.events" by order_id: ShipmentEvent in shipping, shipment_event {
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
        assert_eq!(<OrderEvent as Envelope>::Topic::NAME, "orders.events");
        assert!(OrderEvent::TYPES.contains(&event.event_type().unwrap()));
    }

    #[test]
    fn an_unknown_event_has_no_type() {
        assert_eq!(OrderEvent::default().event_type(), None);
    }
}
