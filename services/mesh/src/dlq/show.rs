//! Dead letters for people.

use std::fmt::Debug;

use chassis::kafka::{dead_letter, headers};
use proto::{
    Message, inventory::v1::InventoryEvent, orders::v1::OrderEvent, payments::v1::PaymentEvent,
    shipping::v1::ShipmentEvent, topics,
};
use rdkafka::message::Headers;

use super::letter::{Handled, Letter};

/// The line of a list.
pub(super) fn row(letter: &Letter, handled: Option<Handled>) -> [String; 9] {
    let reason = letter.header(dead_letter::REASON);
    let event = letter.header(headers::TYPE);
    [
        letter.place.to_string(),
        handled.map_or(reason.clone(), |how| format!("{reason} ({how})")),
        letter.header(dead_letter::GROUP),
        letter.header(dead_letter::ATTEMPTS),
        event.rsplit('.').next().unwrap_or_default().to_owned(),
        letter.key(),
        letter.header(dead_letter::TIME),
        letter.trace_id(),
        letter.header(dead_letter::ERROR).lines().next().unwrap_or_default().to_owned(),
    ]
}

/// Everything about one.
pub(super) fn whole(letter: &Letter, handled: Option<Handled>) -> Vec<String> {
    let mut lines = vec![format!("dead letter {}", letter.place)];
    lines.extend(handled.map(|how| format!("it was {how}")));
    lines.push(format!("key: {}", letter.key()));
    lines.push("headers:".into());
    for header in letter.headers.iter() {
        let value = header.value.map_or_else(|| "(none)".into(), text);
        lines.push(format!("  {}: {value}", header.key));
    }
    lines.push("payload:".into());
    let payload = letter.payload.as_deref().unwrap_or_default();
    let read = decoded(&letter.header(dead_letter::TOPIC), payload);
    let shown = read.unwrap_or_else(|error| {
        format!("{} bytes that cannot be read ({error}): {}", payload.len(), hexadecimal(payload))
    });
    lines.extend(shown.lines().map(|line| format!("  {line}")));
    lines
}

/// The event, by the topic that it was on.
fn decoded(topic: &str, payload: &[u8]) -> Result<String, String> {
    fn read<M: Message + Default + Debug>(payload: &[u8]) -> Result<String, String> {
        M::decode(payload).map(|message| format!("{message:#?}")).map_err(|error| error.to_string())
    }
    match topic {
        _ if topic == topics::ORDERS.name => read::<OrderEvent>(payload),
        _ if topic == topics::PAYMENTS.name => read::<PaymentEvent>(payload),
        _ if topic == topics::SHIPMENTS.name => read::<ShipmentEvent>(payload),
        _ if topic == topics::INVENTORY.name => read::<InventoryEvent>(payload),
        _ => Err("a topic that is none of ours".into()),
    }
}

/// Text as it is, but for what would move the cursor; bytes as hexadecimal.
fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        Ok(text) => text.escape_debug().to_string(),
        Err(_) => hexadecimal(value),
    }
}

/// More says nothing more.
const MOST_BYTES: usize = 256;

fn hexadecimal(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(MOST_BYTES).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > MOST_BYTES { shown + "…" } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_shown_as_it_was_meant() {
        let event = OrderEvent { order_id: "o-1".into(), ..OrderEvent::default() };
        let shown = decoded("orders.events", &event.encode_to_vec()).unwrap();
        assert!(shown.contains("order_id: \"o-1\""), "{shown}");
    }

    #[test]
    fn what_cannot_be_read_is_shown_as_bytes() {
        assert!(decoded("orders.events", b"\xff\xff\xff").is_err());
        assert!(decoded("other", b"").is_err());
        assert_eq!((text(b"a\x1b[2J"), text(b"\xff\x00")), ("a\\u{1b}[2J".into(), "ff00".into()));
    }
}
