//! The limits of what a page may send. Pure: the time is a parameter.

use chassis::{
    telemetry::otlp::{
        common::{AnyValue, KeyValue, any_value::Value},
        logs::LogRecord,
        trace::{Span, span::SpanKind},
    },
    text::printable,
};

use super::Refusal;

/// The most records of one request: 64 KiB hold some 150 of the console's spans.
const RECORDS: usize = 256;
/// The most attributes of a span, an event or a log record; the console's have up to a dozen.
const ATTRIBUTES: usize = 32;
/// The longest key, in bytes.
const KEY: usize = 64;
/// The longest text, in bytes: a stack trace of some twenty lines.
const TEXT: usize = 2048;
/// The most texts of a list, such as the brands of a browser.
const LIST: usize = 8;
/// The longest name of a span, in bytes.
const NAME: usize = 96;
/// The most events of a span, and the most links.
const PARTS: usize = 8;
/// How old a record may be: a page that was in the background sends late.
const OLDEST_SECONDS: u64 = 600;
/// How far ahead a page's clock may be, after it was corrected by the server's.
const AHEAD_SECONDS: u64 = 60;
/// The most characters of a name that a message repeats.
const SHOWN: usize = 60;

/// The first parts of the keys that a page may use. Others would draw calls to databases and brokers, which a page does not make,
/// into the topology, or change what `order.id` and `order.status` say of flows.
const NAMESPACES: [&str; 10] = [
    "app",
    "browser",
    "code",
    "error",
    "exception",
    "http",
    "network",
    "session",
    "url",
    "user_agent",
];

/// The only attributes about messages: those of a live message that the page receives.
const MESSAGING: [(&str, &str); 4] = [
    ("messaging.destination.name", "live.orders"),
    ("messaging.operation.name", "receive"),
    ("messaging.operation.type", "receive"),
    ("messaging.system", "websocket"),
];

/// The kinds of a page's spans, each with what their names begin with: the operation, and then what it is about.
const NAMES: [(SpanKind, &[&str]); 3] = [
    (SpanKind::Internal, &["click ", "paint "]),
    (SpanKind::Client, &["GET ", "POST ", "PUT ", "DELETE "]),
    (SpanKind::Consumer, &["receive "]),
];

/// The events that a page may log.
const EVENTS: [&str; 3] = ["browser.csp_violation", "browser.exception", "browser.web_vital"];

/// What is wrong with a record.
#[derive(Debug, PartialEq)]
pub(super) struct Mistake {
    /// The label value of the metric: one of [`crate::metrics::BROWSER_MISTAKES`].
    pub(super) reason: &'static str,
    /// Names the input, the limit and what to do.
    pub(super) message: String,
}

fn mistake(reason: &'static str, message: impl Into<String>) -> Mistake {
    Mistake { reason, message: message.into() }
}

/// Checks the number of records of a request.
pub(super) fn count(what: &str, records: usize) -> Result<(), Refusal> {
    if records <= RECORDS {
        return Ok(());
    }
    Err(Refusal::Invalid(format!(
        "the body has {records} {what}; expected at most {RECORDS}: send them in several requests"
    )))
}

/// Checks a span that arrived at `now`.
pub(super) fn span(span: &Span, now: u64) -> Result<(), Mistake> {
    let shown = printable(&span.name, SHOWN);
    let of_span = |mut mistake: Mistake| {
        mistake.message = format!("span {shown:?}: {}", mistake.message);
        mistake
    };
    let check = || {
        id("traceId", &span.trace_id, 16)?;
        id("spanId", &span.span_id, 8)?;
        if !span.parent_span_id.is_empty() {
            id("parentSpanId", &span.parent_span_id, 8)?;
        }
        name(span)?;
        time("startTimeUnixNano", span.start_time_unix_nano, now)?;
        time("endTimeUnixNano", span.end_time_unix_nano, now)?;
        if span.end_time_unix_nano < span.start_time_unix_nano {
            return Err(mistake("time", "endTimeUnixNano is before startTimeUnixNano"));
        }
        parts("events", span.events.len())?;
        parts("links", span.links.len())?;
        for event in &span.events {
            text("the name of an event", &event.name, NAME)?;
            time("timeUnixNano of an event", event.time_unix_nano, now)?;
            attributes(&event.attributes)?;
        }
        for link in &span.links {
            id("traceId of a link", &link.trace_id, 16)?;
            id("spanId of a link", &link.span_id, 8)?;
        }
        let status = span.status.as_ref().map_or("", |status| &status.message);
        text("the status' message", status, TEXT)?;
        text("traceState", &span.trace_state, TEXT)?;
        attributes(&span.attributes)
    };
    check().map_err(of_span)
}

/// Checks a log record that arrived at `now`.
pub(super) fn log_record(record: &LogRecord, now: u64) -> Result<(), Mistake> {
    if !EVENTS.contains(&record.event_name.as_str()) {
        let name = printable(&record.event_name, SHOWN);
        let known = EVENTS.join(", ");
        return Err(mistake("name", format!("eventName {name:?} is none of a page's: {known}")));
    }
    time("timeUnixNano", record.time_unix_nano, now)?;
    if !record.trace_id.is_empty() {
        id("traceId", &record.trace_id, 16)?;
    }
    if !record.span_id.is_empty() {
        id("spanId", &record.span_id, 8)?;
    }
    match &record.body {
        None | Some(AnyValue { value: None }) => {}
        Some(AnyValue { value: Some(Value::StringValue(body)) }) => text("the body", body, TEXT)?,
        Some(_) => {
            return Err(mistake("attributes", "the body is no text; put values into attributes"));
        }
    }
    attributes(&record.attributes)
}

fn id(what: &str, bytes: &[u8], length: usize) -> Result<(), Mistake> {
    if bytes.len() == length && bytes.iter().any(|byte| *byte != 0) {
        return Ok(());
    }
    Err(mistake(
        "id",
        format!("{what} is no id; expected {} hexadecimal digits, not all of them 0", 2 * length),
    ))
}

fn name(span: &Span) -> Result<(), Mistake> {
    text("the name", &span.name, NAME)?;
    let beginnings = NAMES.iter().find(|(kind, _)| *kind == span.kind());
    let Some((_, beginnings)) = beginnings else {
        let message = format!(
            "kind {} is not one of a page's spans; expected 1 (internal), 3 (client) or 5 (consumer)",
            span.kind
        );
        return Err(mistake("name", message));
    };
    let names =
        |beginning: &&str| span.name.len() > beginning.len() && span.name.starts_with(*beginning);
    if beginnings.iter().any(names) {
        return Ok(());
    }
    let known = beginnings.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
    Err(mistake(
        "name",
        format!("the name must begin with one of {known}, by the span's kind, and go on"),
    ))
}

fn time(what: &str, at: u64, now: u64) -> Result<(), Mistake> {
    const SECOND: u64 = 1_000_000_000;
    if at.saturating_add(OLDEST_SECONDS * SECOND) < now {
        let message = format!(
            "{what} is more than {OLDEST_SECONDS} s ago; send records sooner, with times in nanoseconds since 1970"
        );
        return Err(mistake("time", message));
    }
    if at > now.saturating_add(AHEAD_SECONDS * SECOND) {
        let message = format!(
            "{what} is more than {AHEAD_SECONDS} s ahead; correct the clock by the header Date of an answer"
        );
        return Err(mistake("time", message));
    }
    Ok(())
}

fn parts(what: &str, count: usize) -> Result<(), Mistake> {
    if count <= PARTS {
        return Ok(());
    }
    Err(mistake("parts", format!("there are {count} {what}; expected at most {PARTS}")))
}

fn attributes(all: &[KeyValue]) -> Result<(), Mistake> {
    if all.len() > ATTRIBUTES {
        let message = format!("there are {} attributes; expected at most {ATTRIBUTES}", all.len());
        return Err(mistake("attributes", message));
    }
    all.iter().try_for_each(attribute)
}

/// Checks one attribute.
pub(super) fn attribute(KeyValue { key, value, .. }: &KeyValue) -> Result<(), Mistake> {
    let shown = printable(key, SHOWN);
    text("an attribute's key", key, KEY)?;
    let value = value.as_ref().and_then(|value| value.value.as_ref());
    let namespace = key.split('.').next().unwrap_or_default();
    let is_live = |(known, only): &(&str, &str)| {
        known == key && matches!(value, Some(Value::StringValue(text)) if text == only)
    };
    if !NAMESPACES.contains(&namespace) && !MESSAGING.iter().any(is_live) {
        let message = format!(
            "attribute {shown:?} is none of a page's; its first part must be one of {}",
            NAMESPACES.join(", ")
        );
        return Err(mistake("attributes", message));
    }
    let what = format!("attribute {shown:?}");
    match value {
        None | Some(Value::BoolValue(_) | Value::IntValue(_)) => Ok(()),
        Some(Value::DoubleValue(number)) if number.is_finite() => Ok(()),
        Some(Value::StringValue(value)) => text(&what, value, TEXT),
        Some(Value::ArrayValue(list)) if list.values.len() <= LIST => {
            list.values.iter().try_for_each(|value| match &value.value {
                Some(Value::StringValue(value)) => text(&what, value, KEY),
                _ => Err(mistake(
                    "attributes",
                    format!("{what} is a list of other things than texts"),
                )),
            })
        }
        Some(_) => {
            let message = format!(
                "{what} is no text, number or truth value, and no list of at most {LIST} texts"
            );
            Err(mistake("attributes", message))
        }
    }
}

fn text(what: &str, text: &str, most: usize) -> Result<(), Mistake> {
    if text.len() <= most {
        return Ok(());
    }
    Err(mistake("attributes", format!("{what} has {} bytes; expected at most {most}", text.len())))
}
