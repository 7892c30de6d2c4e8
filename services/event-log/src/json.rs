//! Events as JSON: <https://protobuf.dev/programming-guides/json/>, with the field names of the contracts.

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use proto::{
    DESCRIPTORS,
    topics::{self, Topic},
};
use serde_json::Value;

use chassis::{Error, Kind, text::printable};

/// Reads events by the descriptors of the contracts. It costs some hundred kilobytes, so make one for the records of a request.
pub struct Decoder {
    pool: DescriptorPool,
}

impl Decoder {
    /// A decoder for the contracts of the mesh.
    ///
    /// # Errors
    /// The descriptors of this program are damaged.
    pub fn new() -> Result<Self, Error> {
        let pool = DescriptorPool::decode(DESCRIPTORS);
        let pool = pool.map_err(|cause| {
            Error::new(Kind::Internal, "the descriptors of the contracts are damaged").source(cause)
        })?;
        Ok(Self { pool })
    }

    /// The event, decoded with the message type of its topic.
    ///
    /// # Errors
    /// A text for people: why the payload cannot be read.
    pub fn event(&self, topic: &str, payload: &[u8]) -> Result<Value, String> {
        if payload.len() > LARGEST {
            return Err(format!("it is longer than the {LARGEST} bytes that are decoded here"));
        }
        let name = message(topic).ok_or("a topic that is none of ours")?;
        let descriptor = self.pool.get_message_by_name(name).ok_or("a message without contract")?;
        let message =
            DynamicMessage::decode(descriptor, payload).map_err(|error| error.to_string())?;
        let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(true);
        let value = message.serialize_with_options(serde_json::value::Serializer, &options);
        value.map_err(|error| error.to_string())
    }
}

/// Events have some hundred bytes. Decoded, a payload may take a hundred times its size.
const LARGEST: usize = 64 << 10;

/// The full name of the message on a topic.
fn message(topic: &str) -> Option<&'static str> {
    let all = [
        (topics::Orders::NAME, "mesh.orders.v1.OrderEvent"),
        (topics::Payments::NAME, "mesh.payments.v1.PaymentEvent"),
        (topics::Shipments::NAME, "mesh.shipping.v1.ShipmentEvent"),
        (topics::Inventory::NAME, "mesh.inventory.v1.InventoryEvent"),
    ];
    all.into_iter().find(|(name, _)| *name == topic).map(|(_, message)| message)
}

/// Text as it is, with control characters escaped; other bytes as hexadecimal.
pub fn text(value: &[u8], longest: usize) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => printable(text, longest),
        Err(_) => hexadecimal(value),
    }
}

/// The maximum of bytes shown as hexadecimal: more is of no use to people.
const MOST_BYTES: usize = 256;

/// The first bytes in hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(MOST_BYTES).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > MOST_BYTES { shown + "…" } else { shown }
}

#[cfg(test)]
mod tests {
    use proto::{
        Message,
        orders::v1::{CancelReason, Item, OrderCancelled, OrderEvent, OrderPlaced, order_event},
        types::v1::Money,
    };
    use serde_json::json;

    use super::*;

    fn decoded(topic: &str, payload: &[u8]) -> Result<Value, String> {
        Decoder::new().unwrap().event(topic, payload)
    }

    fn event(event: order_event::Event) -> Vec<u8> {
        let event = Some(event);
        OrderEvent { order_id: "o-1".into(), occurred_at_us: 7, event, ..OrderEvent::default() }
            .encode_to_vec()
    }

    #[test]
    fn an_event_has_the_names_of_its_contract() {
        let reason = CancelReason::PaymentDeclined.into();
        let cancelled = event(order_event::Event::Cancelled(OrderCancelled { reason }));
        let expected = json!({
            "order_id": "o-1", "occurred_at_us": "7",
            "cancelled": { "reason": "CANCEL_REASON_PAYMENT_DECLINED" },
        });
        assert_eq!(decoded("orders.events", &cancelled), Ok(expected));
        let placed = event(order_event::Event::Placed(OrderPlaced {
            total: Some(Money { ..Money::default() }),
            items: vec![Item { sku: "teapot".into(), quantity: 2, ..Item::default() }],
            ..OrderPlaced::default()
        }));
        let placed = decoded("orders.events", &placed).unwrap();
        assert_eq!(placed["placed"]["items"][0], json!({ "sku": "teapot", "quantity": 2 }));
    }

    /// A topic that this file forgets would be shown as bytes.
    #[test]
    fn every_topic_has_a_message() {
        for topic in topics::ALL {
            assert_eq!(decoded(topic, b""), Ok(json!({})), "{topic}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_with_the_reason() {
        assert!(decoded("orders.events", b"\xff\xff\xff").unwrap_err().contains("varint"));
        assert!(decoded("other", b"").unwrap_err().contains("none of ours"));
        let long = decoded("orders.events", &vec![0; LARGEST + 1]).unwrap_err();
        assert!(long.contains("65536"), "{long}");
        let text = |value| text(value, 100);
        assert_eq!((text(b"a\x1b[2J"), text(b"\xff\x00")), ("a\\u{1b}[2J".into(), "ff00".into()));
    }
}
