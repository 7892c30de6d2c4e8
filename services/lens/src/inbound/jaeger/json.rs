//! A trace in Jaeger's JSON.
//!
//! The format is Jaeger's own translation of OTLP, with one difference: a link to the parent stays a reference beside `CHILD_OF`
//! instead of replacing it, so that clients that look for the parent find it, and those that show links find all of them.

use serde::Serialize;
use std::collections::BTreeMap;

use crate::{
    domain::{Attribute, Event, Kind, Source, Span, Status, Value},
    store::{FoundSpan, FoundTrace},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trace<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    spans: Vec<JaegerSpan<'a>>,
    processes: BTreeMap<String, Process<'a>>,
    warnings: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JaegerSpan<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    operation_name: &'a str,
    references: Vec<Reference>,
    /// In microseconds since the Unix epoch.
    start_time: u64,
    /// In microseconds.
    duration: u64,
    tags: Vec<Tag<'a>>,
    logs: Vec<LogEntry<'a>>,
    #[serde(rename = "processID")]
    process_id: String,
    warnings: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: &'static str,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Process<'a> {
    service_name: &'a str,
    tags: Vec<Tag<'a>>,
}

#[derive(Serialize)]
struct LogEntry<'a> {
    timestamp: u64,
    fields: Vec<Tag<'a>>,
}

#[derive(Serialize)]
struct Tag<'a> {
    key: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    value: TagValue<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum TagValue<'a> {
    Text(&'a str),
    Display(String),
    Bool(bool),
    Int(i64),
    Float(f64),
}

/// Above this, JavaScript cannot represent every integer.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

pub(super) fn trace(found: &FoundTrace) -> Trace<'_> {
    let processes = found
        .sources
        .iter()
        .enumerate()
        .map(|(place, source)| (process_id(place), process(source)));
    let left_out =
        || vec![format!("{} further spans were not kept: the trace is too large", found.left_out)];
    Trace {
        trace_id: found.id.to_string(),
        spans: found.spans.iter().map(span).collect(),
        processes: processes.collect(),
        warnings: (found.left_out > 0).then(left_out),
    }
}

fn process_id(place: usize) -> String {
    format!("p{}", place + 1)
}

fn process(source: &Source) -> Process<'_> {
    Process { service_name: &source.service, tags: source.attributes.iter().map(tag).collect() }
}

fn span(found: &FoundSpan) -> JaegerSpan<'_> {
    let span = &found.span;
    let mut tags = Vec::with_capacity(span.attributes.len() + 4);
    tags.extend(text_tag("otel.scope.name", &found.scope.name));
    tags.extend(text_tag("otel.scope.version", &found.scope.version));
    tags.extend(span.attributes.iter().map(tag));
    if span.kind != Kind::Unspecified {
        tags.extend(text_tag("span.kind", span.kind.label()));
    }
    match span.status {
        Status::Unset => {}
        Status::Ok => tags.extend(text_tag("otel.status_code", "OK")),
        Status::Error => {
            tags.extend(text_tag("otel.status_code", "ERROR"));
            tags.push(Tag { key: "error", kind: "bool", value: TagValue::Bool(true) });
        }
    }
    tags.extend(text_tag("otel.status_description", &span.status_message));
    tags.extend(text_tag("w3c.tracestate", &span.trace_state));
    JaegerSpan {
        trace_id: span.trace.to_string(),
        span_id: span.id.to_string(),
        operation_name: &span.name,
        references: references(span),
        start_time: span.start_ns / 1_000,
        duration: span.duration_ns / 1_000,
        tags,
        logs: span.events.iter().map(entry).collect(),
        process_id: process_id(found.source),
        warnings: None,
    }
}

fn references(span: &Span) -> Vec<Reference> {
    let reference = |ref_type, trace: String, span: String| Reference {
        ref_type,
        trace_id: trace,
        span_id: span,
    };
    let parent =
        span.parent.map(|parent| reference("CHILD_OF", span.trace.to_string(), parent.to_string()));
    let links = span
        .links
        .iter()
        .map(|link| reference("FOLLOWS_FROM", link.trace.to_string(), link.span.to_string()));
    parent.into_iter().chain(links).collect()
}

fn entry(event: &Event) -> LogEntry<'_> {
    let named = event.attributes.iter().any(|attribute| attribute.key == "event");
    let name = text_tag("event", &event.name).filter(|_| !named);
    let fields = name.into_iter().chain(event.attributes.iter().map(tag)).collect();
    LogEntry { timestamp: event.at_ns / 1_000, fields }
}

fn text_tag<'a>(key: &'a str, text: &'a str) -> Option<Tag<'a>> {
    (!text.is_empty()).then_some(Tag { key, kind: "string", value: TagValue::Text(text) })
}

fn tag(attribute: &Attribute) -> Tag<'_> {
    let (kind, value) = match &attribute.value {
        Value::Text(text) | Value::Json(text) => ("string", TagValue::Text(text)),
        Value::Bool(value) => ("bool", TagValue::Bool(*value)),
        Value::Int(value) if value.unsigned_abs() > SAFE_INTEGER => {
            ("int64", TagValue::Display(value.to_string()))
        }
        Value::Int(value) => ("int64", TagValue::Int(*value)),
        // JSON cannot represent these as numbers.
        Value::Double(value) if !value.is_finite() => {
            ("string", TagValue::Display(value.to_string()))
        }
        Value::Double(value) => ("float64", TagValue::Float(*value)),
        Value::Bytes(_) => ("binary", TagValue::Display(attribute.value.to_string())),
    };
    Tag { key: &attribute.key, kind, value }
}
