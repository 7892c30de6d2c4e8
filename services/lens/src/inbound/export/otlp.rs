//! Spans and log lines → OTLP's messages: the reverse of what the receivers read.

use std::collections::VecDeque;

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{
        AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value as Any,
    },
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as WireSpan, Status, span},
};

use crate::{
    domain::{Attribute, Event, Link, Scope, Source, Span, Value},
    inbound::otlp::LARGEST,
    store::{FoundSpan, FoundTrace, Line},
};

/// The target number of spans in a line: most traces have fewer.
const SPANS: usize = 500;

/// Appends the lines of a trace: one request each, in OTLP's JSON. A request is not larger than what lens takes, unless a single
/// span is.
pub(in crate::inbound) fn write_trace(trace: FoundTrace, out: &mut Vec<u8>) {
    let FoundTrace { sources, spans, .. } = trace;
    let mut parts: VecDeque<Vec<FoundSpan>> = VecDeque::new();
    let mut rest = spans;
    while rest.len() > SPANS {
        let later = rest.split_off(SPANS);
        parts.push_back(rest);
        rest = later;
    }
    parts.push_back(rest);
    while let Some(mut spans) = parts.pop_front() {
        let line = json(&spans_to_wire(&sources, &spans));
        if line.len() > LARGEST && spans.len() > 1 {
            let later = spans.split_off(spans.len() / 2);
            parts.push_front(later);
            parts.push_front(spans);
            continue;
        }
        out.extend_from_slice(&line);
        out.push(b'\n');
    }
}

/// Appends log lines as one request, in OTLP's JSON, or as two if one is too large.
pub(super) fn write_lines(mut lines: Vec<Line>, out: &mut Vec<u8>) {
    let request = json(&lines_to_wire(&lines));
    if request.len() > LARGEST && lines.len() > 1 {
        let later = lines.split_off(lines.len() / 2);
        write_lines(lines, out);
        return write_lines(later, out);
    }
    out.extend_from_slice(&request);
    out.push(b'\n');
}

fn json(request: &impl serde::Serialize) -> Vec<u8> {
    // Numbers, texts and lists: there is nothing in it that JSON cannot express.
    serde_json::to_vec(request).unwrap_or_default()
}

fn spans_to_wire(sources: &[Source], spans: &[FoundSpan]) -> ExportTraceServiceRequest {
    let mut resources: Groups<usize, (&Scope, Vec<WireSpan>)> = Vec::new();
    for found in spans {
        let scopes = group(&mut resources, found.source);
        group(scopes, &found.scope).push(span_to_wire(&found.span));
    }
    let resource_spans = resources.into_iter().map(|(source, scopes)| ResourceSpans {
        resource: sources.get(source).map(resource_to_wire),
        scope_spans: scopes
            .into_iter()
            .map(|(scope, spans)| ScopeSpans {
                scope: Some(scope_to_wire(&scope.name, &scope.version)),
                spans,
                ..ScopeSpans::default()
            })
            .collect(),
        ..ResourceSpans::default()
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
}

fn lines_to_wire(lines: &[Line]) -> ExportLogsServiceRequest {
    let mut resources: Groups<&str, (&str, Vec<LogRecord>)> = Vec::new();
    for line in lines {
        let scopes = group(&mut resources, line.service.as_str());
        group(scopes, line.log.target.as_str()).push(line_to_wire(line));
    }
    let resource_logs = resources.into_iter().map(|(service, scopes)| ResourceLogs {
        resource: Some(resource_to_wire(&Source { service: service.into(), attributes: vec![] })),
        scope_logs: scopes
            .into_iter()
            .map(|(target, log_records)| ScopeLogs {
                scope: Some(scope_to_wire(target, "")),
                log_records,
                ..ScopeLogs::default()
            })
            .collect(),
        ..ResourceLogs::default()
    });
    ExportLogsServiceRequest { resource_logs: resource_logs.collect() }
}

/// Values with the same key, in the order in which the keys came.
type Groups<K, V> = Vec<(K, Vec<V>)>;

/// The group of this key; a new one if there is none.
fn group<K: PartialEq, V>(groups: &mut Groups<K, V>, key: K) -> &mut Vec<V> {
    let place = groups.iter().position(|(known, _)| *known == key).unwrap_or(groups.len());
    if place == groups.len() {
        groups.push((key, Vec::new()));
    }
    &mut groups[place].1
}

fn resource_to_wire(source: &Source) -> Resource {
    let name =
        Attribute { key: "service.name".to_owned(), value: Value::Text(source.service.clone()) };
    let attributes = std::iter::once(&name).chain(&source.attributes).map(attribute_to_wire);
    Resource { attributes: attributes.collect(), ..Resource::default() }
}

fn scope_to_wire(name: &str, version: &str) -> InstrumentationScope {
    InstrumentationScope {
        name: name.to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    }
}

fn span_to_wire(span: &Span) -> WireSpan {
    WireSpan {
        trace_id: span.trace.get().to_be_bytes().to_vec(),
        span_id: span.id.get().to_be_bytes().to_vec(),
        parent_span_id: span.parent.map(|id| id.get().to_be_bytes().to_vec()).unwrap_or_default(),
        trace_state: span.trace_state.clone(),
        name: span.name.clone(),
        kind: i32::from(span.kind.code()),
        start_time_unix_nano: span.start_ns,
        end_time_unix_nano: span.end_ns(),
        attributes: span.attributes.iter().map(attribute_to_wire).collect(),
        events: span.events.iter().map(event_to_wire).collect(),
        links: span.links.iter().map(link_to_wire).collect(),
        status: Some(Status { code: span.status as i32, message: span.status_message.clone() }),
        ..WireSpan::default()
    }
}

fn event_to_wire(event: &Event) -> span::Event {
    span::Event {
        time_unix_nano: event.at_ns,
        name: event.name.clone(),
        attributes: event.attributes.iter().map(attribute_to_wire).collect(),
        ..span::Event::default()
    }
}

fn link_to_wire(link: &Link) -> span::Link {
    span::Link {
        trace_id: link.trace.get().to_be_bytes().to_vec(),
        span_id: link.span.get().to_be_bytes().to_vec(),
        ..span::Link::default()
    }
}

fn line_to_wire(line: &Line) -> LogRecord {
    let log = &line.log;
    let text = |text: &str| AnyValue { value: Some(Any::StringValue(text.to_owned())) };
    LogRecord {
        time_unix_nano: log.at_ns,
        observed_time_unix_nano: log.at_ns,
        severity_number: i32::from(log.severity.number()),
        severity_text: log.severity.label().to_uppercase(),
        body: Some(text(&log.body)),
        attributes: log.attributes.iter().map(attribute_to_wire).collect(),
        trace_id: log.trace.map(|id| id.get().to_be_bytes().to_vec()).unwrap_or_default(),
        span_id: log.span.map(|id| id.get().to_be_bytes().to_vec()).unwrap_or_default(),
        ..LogRecord::default()
    }
}

fn attribute_to_wire(attribute: &Attribute) -> KeyValue {
    let value = match &attribute.value {
        Value::Text(text) => Any::StringValue(text.clone()),
        Value::Bool(value) => Any::BoolValue(*value),
        Value::Int(value) => Any::IntValue(*value),
        Value::Double(value) => Any::DoubleValue(*value),
        Value::Bytes(bytes) => Any::BytesValue(bytes.clone()),
        // A text that was cut is no JSON any more.
        Value::Json(text) => serde_json::from_str(text)
            .ok()
            .and_then(json_to_wire)
            .unwrap_or_else(|| Any::StringValue(text.clone())),
    };
    KeyValue {
        key: attribute.key.clone(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// A list or map; `None` for JSON's null.
fn json_to_wire(json: serde_json::Value) -> Option<Any> {
    let any = |json| AnyValue { value: json_to_wire(json) };
    Some(match json {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(value) => Any::BoolValue(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(value) => Any::IntValue(value),
            None => Any::DoubleValue(number.as_f64()?),
        },
        serde_json::Value::String(text) => Any::StringValue(text),
        serde_json::Value::Array(values) => {
            Any::ArrayValue(ArrayValue { values: values.into_iter().map(any).collect() })
        }
        serde_json::Value::Object(pairs) => {
            let pair =
                |(key, value)| KeyValue { key, value: Some(any(value)), ..KeyValue::default() };
            Any::KvlistValue(KeyValueList { values: pairs.into_iter().map(pair).collect() })
        }
    })
}
