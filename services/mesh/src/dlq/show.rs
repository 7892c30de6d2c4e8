//! Formats dead letters for people.

use std::fmt::Debug;

use chassis::{events::dead_letter, kafka::headers, text::printable};
use proto::{
    Message,
    inventory::v1::InventoryEvent,
    orders::v1::OrderEvent,
    payments::v1::PaymentEvent,
    shipping::v1::ShipmentEvent,
    topics::{self, Topic},
};
use rdkafka::message::Headers;

use super::letter::{Handled, Letter};

/// A letter's row in the list.
pub(super) fn row(letter: &Letter, handled: Option<Handled>) -> [String; 9] {
    let reason = letter.header(dead_letter::REASON);
    let event = letter.header(headers::TYPE);
    [
        letter.place.to_string(),
        handled.map_or(cell(&reason), |how| format!("{} ({how})", cell(&reason))),
        cell(&letter.header(dead_letter::GROUP)),
        cell(&letter.header(dead_letter::ATTEMPTS)),
        cell(event.rsplit('.').next().unwrap_or_default()),
        cell(&letter.key()),
        cell(&letter.header(dead_letter::TIME)),
        cell(&letter.trace_id()),
        printable(letter.header(dead_letter::ERROR).lines().next().unwrap_or_default(), ERROR),
    ]
}

/// As wide as an order's id: our own values are shorter, and foreign ones may have any length.
const CELL: usize = 36;
/// An error gets more room than the other cells.
const ERROR: usize = 200;

fn cell(text: &str) -> String {
    printable(text, CELL)
}

/// Everything about one letter.
pub(super) fn whole(letter: &Letter, handled: Option<Handled>) -> Vec<String> {
    let mut lines = vec![format!("dead letter {}", letter.place)];
    lines.extend(handled.map(|how| format!("it was {how}")));
    lines.push(format!("key: {}", printable(&letter.key(), LONGEST)));
    lines.push("headers:".into());
    for header in letter.headers.iter() {
        let value = header.value.map_or_else(|| "(none)".into(), text);
        lines.push(format!("  {}: {value}", printable(header.key, LONGEST)));
    }
    lines.push("payload:".into());
    let payload = letter.payload.as_deref().unwrap_or_default();
    let read = decoded(&letter.header(dead_letter::TOPIC), payload);
    let shown = read.unwrap_or_else(|error| {
        format!("{} bytes that cannot be read ({error}): {}", payload.len(), hexadecimal(payload))
    });
    lines.extend(shown.lines().map(|line| format!("  {}", printable(line, LONGEST))));
    lines
}

/// The maximum length of a key, a header or a line of a payload: more is of no use to people, and `kcat` prints all of it.
const LONGEST: usize = 4_000;

/// The event, decoded with the message type of its topic.
fn decoded(topic: &str, payload: &[u8]) -> Result<String, String> {
    fn read<M: Message + Default + Debug>(payload: &[u8]) -> Result<String, String> {
        M::decode(payload).map(|message| format!("{message:#?}")).map_err(|error| error.to_string())
    }
    match topic {
        _ if topic == topics::Orders::NAME => read::<OrderEvent>(payload),
        _ if topic == topics::Payments::NAME => read::<PaymentEvent>(payload),
        _ if topic == topics::Shipments::NAME => read::<ShipmentEvent>(payload),
        _ if topic == topics::Inventory::NAME => read::<InventoryEvent>(payload),
        _ => Err("a topic that is none of ours".into()),
    }
}

/// Text as it is, with control characters escaped; other bytes as hexadecimal.
fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => printable(text, LONGEST),
        Err(_) => hexadecimal(value),
    }
}

/// The maximum of bytes shown as hexadecimal: more is of no use to people.
const MOST_BYTES: usize = 256;

fn hexadecimal(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(MOST_BYTES).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > MOST_BYTES { shown + "…" } else { shown }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::{Header, OwnedHeaders};

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

    #[test]
    fn nothing_of_a_letter_acts_on_the_terminal_or_fills_it() {
        let hostile = format!("\x1b[2J\u{9b}31m\u{202e}\r{}", "x".repeat(100_000));
        let header = |all: OwnedHeaders, key: &str| {
            all.insert(Header { key, value: Some(hostile.as_bytes()) })
        };
        let names = [
            dead_letter::REASON,
            dead_letter::GROUP,
            dead_letter::ATTEMPTS,
            dead_letter::TIME,
            dead_letter::ERROR,
            headers::TYPE,
            "traceparent",
            "a\x1bheader",
        ];
        let letter = Letter {
            place: "orders.events.dlq/0/3".parse().unwrap(),
            key: Some(hostile.clone().into_bytes()),
            payload: Some(hostile.clone().into_bytes()),
            headers: names.into_iter().fold(OwnedHeaders::new(), header),
        };
        let row = row(&letter, Some(Handled::Replayed));
        assert!(row.concat().chars().count() < 9 * CELL + ERROR, "{row:?}");
        for text in row.iter().chain(&whole(&letter, None)) {
            assert!(text.chars().all(chassis::text::is_visible), "{text:?}");
            assert!(text.chars().count() < 2 * LONGEST, "{}", text.len());
        }
    }
}
