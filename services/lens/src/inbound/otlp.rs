//! Converts OTLP's messages to spans and log lines.

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value as Any},
    logs::v1::LogRecord,
    resource::v1::Resource,
    trace::v1::{Span as WireSpan, span},
};

use crate::domain::{
    Attribute, Event, Kind, Link, Log, Logs, Scope, Severity, Source, Span, SpanId, Spans, Status,
    TraceId, Value,
};

/// The largest message that is accepted, decompressed: twice the usual limit of exporters.
pub(super) const LARGEST: usize = 8 << 20;

/// Longer texts are cut: a reader of a trace wants to know what was said, not all of it.
const LONGEST_TEXT: usize = 16 * 1024;

/// The name of a resource without `service.name`, as the specification defines it.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// The spans by process, and the number of spans that are invalid because they have no id.
pub(super) fn spans_of(request: ExportTraceServiceRequest) -> (Vec<Spans>, u64) {
    let mut invalid = 0;
    let batches = request.resource_spans.into_iter().map(|of_resource| {
        let scopes = of_resource.scope_spans.into_iter().map(|of_scope| {
            let sent = of_scope.spans.len();
            let spans: Vec<Span> = of_scope.spans.into_iter().filter_map(span_of).collect();
            invalid += (sent - spans.len()) as u64;
            (scope_of(of_scope.scope), spans)
        });
        Spans { source: source_of(of_resource.resource), scopes: scopes.collect() }
    });
    (batches.collect(), invalid)
}

/// The log lines by process.
pub(super) fn logs_of(request: ExportLogsServiceRequest) -> Vec<Logs> {
    let batches = request.resource_logs.into_iter().map(|of_resource| {
        let lines = of_resource.scope_logs.into_iter().flat_map(|of_scope| {
            let target = scope_of(of_scope.scope).name;
            of_scope.log_records.into_iter().map(move |record| log_of(record, &target))
        });
        Logs { lines: lines.collect(), source: source_of(of_resource.resource) }
    });
    batches.collect()
}

fn source_of(resource: Option<Resource>) -> Source {
    let mut attributes = attributes_of(resource.unwrap_or_default().attributes);
    let name = attributes.iter().position(|attribute| attribute.key == "service.name");
    let name = name
        .map(|place| attributes.remove(place).value.to_string())
        .filter(|name| !name.is_empty());
    Source { service: name.unwrap_or_else(|| UNKNOWN_SERVICE.to_owned()), attributes }
}

fn scope_of(scope: Option<InstrumentationScope>) -> Scope {
    scope.map(|scope| Scope { name: scope.name, version: scope.version }).unwrap_or_default()
}

fn span_of(span: WireSpan) -> Option<Span> {
    let status = span.status.unwrap_or_default();
    Some(Span {
        trace: TraceId::from_bytes(&span.trace_id)?,
        id: SpanId::from_bytes(&span.span_id)?,
        parent: SpanId::from_bytes(&span.parent_span_id),
        name: cut(span.name),
        kind: Kind::from_code(span.kind),
        status: Status::from_code(status.code),
        status_message: cut(status.message),
        trace_state: cut(span.trace_state),
        start_ns: span.start_time_unix_nano,
        // A clock that was set back must not make a negative duration.
        duration_ns: span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano),
        attributes: attributes_of(span.attributes),
        events: span.events.into_iter().map(event_of).collect(),
        links: span.links.iter().filter_map(link_of).collect(),
    })
}

fn event_of(event: span::Event) -> Event {
    Event {
        at_ns: event.time_unix_nano,
        name: cut(event.name),
        attributes: attributes_of(event.attributes),
    }
}

fn link_of(link: &span::Link) -> Option<Link> {
    Some(Link {
        trace: TraceId::from_bytes(&link.trace_id)?,
        span: SpanId::from_bytes(&link.span_id)?,
    })
}

fn log_of(record: LogRecord, target: &str) -> Log {
    let mut attributes = attributes_of(record.attributes);
    if !record.event_name.is_empty() {
        attributes.push(Attribute {
            key: "event.name".to_owned(),
            value: Value::Text(cut(record.event_name)),
        });
    }
    let at_ns = if record.time_unix_nano == 0 {
        record.observed_time_unix_nano
    } else {
        record.time_unix_nano
    };
    Log {
        at_ns,
        severity: Severity::from_number(record.severity_number),
        body: value_of(record.body).map(|body| body.to_string()).unwrap_or_default(),
        target: target.to_owned(),
        trace: TraceId::from_bytes(&record.trace_id),
        span: SpanId::from_bytes(&record.span_id),
        attributes,
    }
}

fn attributes_of(pairs: Vec<KeyValue>) -> Vec<Attribute> {
    let attribute =
        |pair: KeyValue| Some(Attribute { key: pair.key, value: value_of(pair.value)? });
    pairs.into_iter().filter_map(attribute).collect()
}

fn value_of(value: Option<AnyValue>) -> Option<Value> {
    Some(match value?.value? {
        Any::StringValue(text) => Value::Text(cut(text)),
        Any::BoolValue(value) => Value::Bool(value),
        Any::IntValue(value) => Value::Int(value),
        Any::DoubleValue(value) => Value::Double(value),
        Any::BytesValue(mut bytes) => {
            bytes.truncate(LONGEST_TEXT);
            Value::Bytes(bytes)
        }
        other @ (Any::ArrayValue(_) | Any::KvlistValue(_)) => {
            Value::Json(cut(json_of(other).to_string()))
        }
        // Only profiles have string tables.
        Any::StringValueStrindex(_) => return None,
    })
}

fn json_of(value: Any) -> serde_json::Value {
    let inner = |value: Option<AnyValue>| {
        value.and_then(|value| value.value).map_or(serde_json::Value::Null, json_of)
    };
    match value {
        Any::StringValue(text) => text.into(),
        Any::BoolValue(value) => value.into(),
        Any::IntValue(value) => value.into(),
        Any::DoubleValue(value) => value.into(),
        Any::BytesValue(bytes) => Value::Bytes(bytes).to_string().into(),
        Any::ArrayValue(list) => list.values.into_iter().map(|value| inner(Some(value))).collect(),
        Any::KvlistValue(map) => {
            map.values.into_iter().map(|pair| (pair.key, inner(pair.value))).collect()
        }
        Any::StringValueStrindex(_) => serde_json::Value::Null,
    }
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(trace_id: &[u8]) -> ExportTraceServiceRequest {
        let text = |key: &str, value: &str| serde_json::json!({"key": key, "value": {"stringValue": value}});
        let mut request: ExportTraceServiceRequest = serde_json::from_value(serde_json::json!({"resourceSpans": [{
            "resource": {"attributes": [text("service.name", "orders"), text("host.name", "a")]},
            "scopeSpans": [{"scope": {"name": "chassis"}, "spans": [{
                "spanId": "00000000000000aa", "name": "Place", "kind": 2,
                "startTimeUnixNano": "2000", "endTimeUnixNano": "1000",
                "attributes": [
                    text("long", &"ä".repeat(LONGEST_TEXT)),
                    {"key": "list", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "b"}]}}},
                ],
                "status": {"code": 2, "message": "no"},
            }]}],
        }]}))
        .unwrap();
        request.resource_spans[0].scope_spans[0].spans[0].trace_id = trace_id.to_vec();
        request
    }

    #[test]
    fn a_span_is_taken_with_its_process_and_scope() {
        let (batches, invalid) = spans_of(wire(&[7; 16]));
        let Spans { source, scopes } = &batches[0];
        let (scope, spans) = &scopes[0];
        assert_eq!((source.service.as_str(), source.attributes.len(), invalid), ("orders", 1, 0));
        assert_eq!(scope.name, "chassis");
        assert_eq!(
            (spans[0].parent, spans[0].status, spans[0].duration_ns),
            (None, Status::Error, 0)
        );
        assert_eq!(spans[0].attribute("list"), Some(&Value::Json(r#"[1,"b"]"#.to_owned())));
        let long = spans[0].text("long").unwrap();
        assert!(long.len() <= LONGEST_TEXT + 4 && long.ends_with("ä…"));
    }

    #[test]
    fn a_span_without_an_id_is_none() {
        assert_eq!(spans_of(wire(&[0; 16])).1, 1);
        assert_eq!(spans_of(wire(&[7; 8])).1, 1);
    }

    #[test]
    fn a_line_without_a_time_has_the_time_it_was_seen() {
        let record = LogRecord { observed_time_unix_nano: 9, ..LogRecord::default() };
        assert_eq!(log_of(record, "orders").at_ns, 9);
    }
    #[test]
    fn the_name_of_an_event_is_kept_as_an_attribute() {
        let record = LogRecord { event_name: "browser.web_vital".into(), ..LogRecord::default() };
        let log = log_of(record, "console");
        let [attribute] = log.attributes.as_slice() else { panic!("{log:?}") };
        assert_eq!(attribute.key, "event.name");
        assert_eq!(attribute.value, Value::Text("browser.web_vital".into()));
    }
}
