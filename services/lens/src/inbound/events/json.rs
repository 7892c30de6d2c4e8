//! Topics, records and dead letters as JSON.

use std::time::{Duration, SystemTime};

use chassis::{Error, events::dead_letter, kafka::headers};
use event_log::{Decoder, Found, Handled, Letter, Letters, Record, Topic, hexadecimal, text};
use proto::topics::DEAD_LETTER_SUFFIX;
use serde_json::{Value, json};

use crate::{
    events::{Group, Overview},
    inbound::lens::rounded,
};

pub(super) fn overview(overview: &Overview) -> Value {
    let topics = overview.topics.iter().map(|one| {
        let rate = overview.rates.iter().find(|(name, _)| *name == one.name);
        topic(one, rate.map(|(_, rate)| *rate))
    });
    let topics: Vec<_> = topics.collect();
    let groups: Vec<_> = overview.groups.iter().map(group).collect();
    json!({ "topics": topics, "groups": groups })
}

fn topic(topic: &Topic, rate: Option<f64>) -> Value {
    let partitions = topic.partitions.iter().map(|one| {
        json!({
            "partition": one.partition,
            "low": one.low,
            "high": one.high,
            "retained": one.high - one.low,
            "oldest": one.oldest_ms.and_then(time),
        })
    });
    let partitions: Vec<_> = partitions.collect();
    let retained: i64 = topic.partitions.iter().map(|one| one.high - one.low).sum();
    let oldest = topic.partitions.iter().filter_map(|one| one.oldest_ms).min();
    json!({
        "topic": topic.name,
        "dead_letters": topic.name.ends_with(DEAD_LETTER_SUFFIX),
        "partitions": partitions,
        "retained": retained,
        "oldest": oldest.and_then(time),
        "rate": rate.map(rounded),
    })
}

fn group(group: &Group) -> Value {
    let partitions = group.partitions.iter().map(
        |one| json!({ "partition": one.partition, "lag": one.records, "instance": one.instance }),
    );
    let partitions: Vec<_> = partitions.collect();
    let members = group.members.iter();
    let members: Vec<_> =
        members.map(|(client, host)| json!({ "client": client, "host": host })).collect();
    json!({
        "group": group.name,
        "topic": group.topic,
        "state": group.state,
        "members": members,
        "lag": group.partitions.iter().map(|one| one.records).sum::<i64>(),
        "measured": group.partitions.iter().all(|one| one.instance.is_some()),
        "oldest_age_seconds": group.oldest_age_seconds.map(rounded),
        "partitions": partitions,
    })
}

pub(super) fn order(id: &str, found: &Found) -> Result<Value, Error> {
    let decoder = Decoder::new()?;
    let records: Vec<_> =
        found.records.iter().map(|one| record(one, &one.place.topic, &decoder)).collect();
    let topics = found.parts.iter().map(|part| {
        json!({
            "topic": part.topic,
            "partition": part.partition,
            "complete": part.complete,
            "forgotten": part.forgotten,
            "error": part.error,
        })
    });
    let topics: Vec<_> = topics.collect();
    Ok(json!({ "order": id, "records": records, "topics": topics }))
}

pub(super) fn letters(read: &Letters, all: bool) -> Value {
    let items = read.queue.letters().filter(|one| all || read.queue.handled(one).is_none());
    let items: Vec<_> = items.map(|one| json!(one.summary(read.queue.handled(one)))).collect();
    json!({ "items": items, "complete": read.complete, "unread": read.unread })
}

pub(super) fn letter(letter: &Letter, handled: Option<Handled>) -> Result<Value, Error> {
    let origin = letter.header(dead_letter::TOPIC);
    let mut shown = json!(letter.summary(handled));
    let record = record(&letter.record, &origin, &Decoder::new()?);
    for name in ["headers", "body", "error", "hexadecimal", "size"] {
        // The summary has the error of the service that could not handle the event.
        let shown_as = if name == "error" { "undecodable" } else { name };
        shown[shown_as] = record[name].clone();
    }
    Ok(shown)
}

/// The most characters of a header's value that are shown.
const LONGEST: usize = 4_000;

/// A record whose payload is the message of `topic`.
fn record(record: &Record, topic: &str, decoder: &Decoder) -> Value {
    let headers: Vec<_> = record
        .headers()
        .map(|(key, value)| json!([key, value.map(|value| text(value, LONGEST))]))
        .collect();
    let payload = record.payload.as_deref().unwrap_or_default();
    let (body, error) = match decoder.event(topic, payload) {
        Ok(body) => (Some(body), None),
        Err(error) => (None, Some(error)),
    };
    let trace = Some(record.trace_id()).filter(|trace| !trace.is_empty());
    json!({
        "topic": record.place.topic,
        "partition": record.place.partition,
        "offset": record.place.offset,
        "key": record.key(),
        "time": record.sent_ms.and_then(time),
        "type": record.header(headers::TYPE),
        "source": record.header(headers::SOURCE),
        "trace_id": trace,
        "headers": headers,
        "size": payload.len(),
        "hexadecimal": error.as_ref().map(|_| hexadecimal(payload)),
        "body": body,
        "error": error,
    })
}

/// RFC 3339, to the millisecond; `None` for a time before 1970 or after 9999.
fn time(ms: i64) -> Option<String> {
    let after =
        Duration::from_millis(u64::try_from(ms).ok().filter(|ms| *ms < 253_402_300_800_000)?);
    Some(humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + after).to_string())
}
