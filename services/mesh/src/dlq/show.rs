//! Formats dead letters for people.

use chassis::{events::dead_letter, kafka::headers, text::printable};
use event_log::{Decoder, Handled, Letter, hexadecimal, text};

/// A letter's row in the list.
pub(super) fn row(letter: &Letter, handled: Option<Handled>) -> [String; 9] {
    let reason = letter.header(dead_letter::REASON);
    let event = letter.header(headers::TYPE);
    [
        letter.place().to_string(),
        handled.map_or(cell(&reason), |how| format!("{} ({how})", cell(&reason))),
        cell(&letter.header(dead_letter::GROUP)),
        cell(&letter.header(dead_letter::ATTEMPTS)),
        cell(event.rsplit('.').next().unwrap_or_default()),
        cell(&letter.record.key()),
        cell(&letter.header(dead_letter::TIME)),
        cell(&letter.record.trace_id()),
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
pub(super) fn whole(letter: &Letter, handled: Option<Handled>) -> anyhow::Result<Vec<String>> {
    let mut lines = vec![format!("dead letter {}", letter.place())];
    lines.extend(handled.map(|how| format!("it was {how}")));
    lines.push(format!("key: {}", printable(&letter.record.key(), LONGEST)));
    lines.push("headers:".into());
    for (key, value) in letter.record.headers() {
        let value = value.map_or_else(|| "(none)".into(), |value| text(value, LONGEST));
        lines.push(format!("  {}: {value}", printable(key, LONGEST)));
    }
    lines.push("payload:".into());
    let payload = letter.record.payload.as_deref().unwrap_or_default();
    let shown = match Decoder::new()?.event(&letter.header(dead_letter::TOPIC), payload) {
        Ok(event) => serde_json::to_string_pretty(&event)?,
        Err(error) => {
            let bytes = hexadecimal(payload);
            format!("{} bytes that cannot be read ({error}): {bytes}", payload.len())
        }
    };
    lines.extend(shown.lines().map(|line| format!("  {}", printable(line, LONGEST))));
    Ok(lines)
}

/// The maximum length of a key, a header or a line of a payload: more is of no use to people, and `kcat` prints all of it.
const LONGEST: usize = 4_000;

#[cfg(test)]
mod tests {
    use event_log::Record;
    use proto::{Message, orders::v1::OrderEvent};
    use rdkafka::message::{Header, OwnedHeaders};

    use super::*;

    #[test]
    fn an_event_is_shown_as_it_was_meant() {
        let event = OrderEvent { order_id: "o-1".into(), ..OrderEvent::default() };
        let shown =
            whole(&letter(&[(dead_letter::TOPIC, "orders.events")], event.encode_to_vec()), None);
        let shown = shown.unwrap().join("\n");
        assert!(shown.contains("\"order_id\": \"o-1\""), "{shown}");
    }

    #[test]
    fn what_cannot_be_read_is_shown_as_bytes() {
        let of = |topic| {
            whole(&letter(&[(dead_letter::TOPIC, topic)], vec![255; 3]), None).unwrap().join("\n")
        };
        assert!(of("orders.events").ends_with(": ffffff"), "{}", of("orders.events"));
        assert!(of("other").contains("none of ours"), "{}", of("other"));
    }

    fn letter(headers: &[(&str, &str)], payload: Vec<u8>) -> Letter {
        let insert = |all: OwnedHeaders, (key, value): &(&str, &str)| {
            all.insert(Header { key, value: Some(*value) })
        };
        let record = Record {
            place: "orders.events.dlq/0/3".parse().unwrap(),
            sent_ms: None,
            key: None,
            payload: Some(payload),
            headers: headers.iter().fold(OwnedHeaders::new(), insert),
        };
        Letter { record }
    }

    #[test]
    fn nothing_of_a_letter_acts_on_the_terminal_or_fills_it() {
        let hostile = format!("\x1b[2J\u{9b}31m\u{202e}\r{}", "x".repeat(100_000));
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
        let headers = names.map(|name| (name, hostile.as_str()));
        let mut letter = letter(&headers, hostile.clone().into_bytes());
        letter.record.key = Some(hostile.clone().into_bytes());
        let row = row(&letter, Some(Handled::Replayed));
        assert!(row.concat().chars().count() < 9 * CELL + ERROR, "{row:?}");
        for text in row.iter().chain(&whole(&letter, None).unwrap()) {
            assert!(text.chars().all(chassis::text::is_visible), "{text:?}");
            assert!(text.chars().count() < 2 * LONGEST, "{}", text.len());
        }
    }
}
