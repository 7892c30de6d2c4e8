//! What senders may write, and which mistakes are refused.

use opentelemetry_proto::tonic::{common::v1::any_value::Value as Any, trace::v1::span::SpanKind};
use serde_json::{Value, json};

use super::*;

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

fn export(service: &str, spans: &[Value]) -> Value {
    json!({ "resourceSpans": [{
        "resource": { "attributes": [text("service.name", service)] },
        "scopeSpans": [{ "scope": { "name": "chassis", "version": "0.1.0" }, "spans": spans }],
    }]})
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn span(id: u64, parent: u64, kind: u8, name: &str, start: u64, attributes: &[Value]) -> Value {
    json!({
        "traceId": TRACE, "spanId": format!("{id:016x}"), "parentSpanId": format!("{parent:016x}"), "kind": kind, "name": name,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 2_500_000).to_string(),
        "attributes": attributes,
    })
}

/// The span with fields added or replaced.
fn with(mut span: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        span[name] = value.clone();
    }
    span
}

fn read(json: &Value) -> Read<ExportTraceServiceRequest> {
    traces(json.to_string().as_bytes()).unwrap()
}

fn one(span: Value) -> Result<trace::Span, String> {
    let export = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] });
    let mut read = read(&export);
    let spans = &mut read.request.resource_spans[0].scope_spans[0].spans;
    spans.pop().ok_or_else(|| read.refused.why.unwrap_or_default())
}

/// The generated messages' own reader accepts only what their writer produces, but reads that correctly.
#[test]
fn what_an_exporter_writes_is_read_as_the_generated_messages_read_it() {
    let list = json!({ "key": "list", "value": { "arrayValue": { "values": [{ "intValue": "1" }, { "stringValue": "b" }] } } });
    let map = json!({ "key": "map", "value": { "kvlistValue": { "values": [list] } } });
    let details = json!({
        "traceState": "a=b",
        "links": [{ "traceId": TRACE, "spanId": "0000000000000001" }],
        "events": [{ "timeUnixNano": "7", "name": "retry", "attributes": [text("a", "b")] }],
        "status": { "code": 2, "message": "provider is down" },
    });
    let spans = [with(span(2, 1, 5, "process", 1, &[text("k", "v"), list, map]), &details)];
    let json = export("payments", &spans);
    let expected: ExportTraceServiceRequest = serde_json::from_value(json.clone()).unwrap();
    let read = read(&json);
    assert_eq!((read.request, read.refused.items), (expected, 0));
}

#[test]
fn every_form_of_a_field_is_taken() {
    let plain = json!({
        "traceId": TRACE, "spanId": "00000000000000aa", "name": "Place", "kind": 2, "startTimeUnixNano": "1000",
        "endTimeUnixNano": "2000", "status": { "code": 2 }, "attributes": [{ "key": "n", "value": { "intValue": "1" } }],
    });
    let other = json!({
        "trace_id": TRACE.to_uppercase(), "span_id": "00000000000000AA", "name": "Place", "kind": "SPAN_KIND_SERVER",
        "start_time_unix_nano": 1000, "end_time_unix_nano": 2e3, "status": { "code": "STATUS_CODE_ERROR", "message": null },
        "attributes": [{ "key": "n", "value": { "int_value": 1, "stringValue": null } }, null], "events": null, "links": [],
        "parentSpanId": "", "traceState": null, "flags": "257", "ofTomorrow": { "a": [1, {}] }, "droppedEventsCount": null,
    });
    assert_eq!(one(other), one(plain.clone()));
    assert_eq!(one(plain).unwrap().kind(), SpanKind::Server);
}

#[test]
fn values_may_be_empty_or_no_numbers() {
    let values = [
        (json!({ "arrayValue": {} }), Any::ArrayValue(common::ArrayValue::default())),
        (
            json!({ "arrayValue": { "values": null } }),
            Any::ArrayValue(common::ArrayValue::default()),
        ),
        (json!({ "kvlistValue": {} }), Any::KvlistValue(common::KeyValueList::default())),
        (json!({ "doubleValue": "Infinity" }), Any::DoubleValue(f64::INFINITY)),
        (json!({ "doubleValue": "1.5" }), Any::DoubleValue(1.5)),
        (json!({ "bytesValue": "-_8" }), Any::BytesValue(vec![0xfb, 0xff])),
        (json!({ "boolValue": false }), Any::BoolValue(false)),
    ];
    for (value, expected) in values {
        let attributes = json!({ "attributes": [{ "key": "a", "value": value }] });
        let span = one(with(span(1, 0, 2, "Place", 0, &[]), &attributes)).unwrap();
        assert_eq!(span.attributes[0].value.clone().unwrap().value, Some(expected), "{value}");
    }
    let nothing = json!({ "attributes": [{ "key": "a", "value": {} }, { "key": "b" }, { "value": null }, {}] });
    assert_eq!(one(with(span(1, 0, 2, "Place", 0, &[]), &nothing)).unwrap().attributes.len(), 4);
    let not_a_number = json!({ "attributes": [{ "key": "a", "value": { "doubleValue": "NaN" } }] });
    assert!(one(with(span(1, 0, 2, "Place", 0, &[]), &not_a_number)).is_ok());
}

#[test]
fn what_is_missing_or_null_is_empty() {
    for empty in [
        json!({}),
        json!({ "resourceSpans": null }),
        json!({ "resourceSpans": [null] }),
        json!({ "resourceSpans": [{}, { "scopeSpans": null, "resource": null }] }),
        json!({ "resource_spans": [{ "scope_spans": [{}, null, { "spans": null, "scope": {} }] }] }),
        json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [null] }] }] }),
    ] {
        let read = read(&empty);
        assert_eq!((read.refused.items, read.refused.why), (0, None), "{empty}");
    }
    assert!(traces(b"\xef\xbb\xbf {\"resourceSpans\": []}").is_ok(), "a byte order mark");
}

#[test]
fn one_mistake_costs_one_span() {
    let good = span(1, 0, 2, "Place", 0, &[]);
    for (field, value) in [
        ("kind", json!(true)),
        ("startTimeUnixNano", json!("-1")),
        ("startTimeUnixNano", json!("yesterday")),
        ("traceId", json!("xyz")),
        ("name", json!(5)),
        ("attributes", json!({})),
        ("attributes", json!([{ "key": "a", "value": { "intValue": "1.5" } }])),
        ("status", json!("ERROR")),
    ] {
        let bad = with(good.clone(), &json!({ field: value }));
        let read = read(&export("orders", &[good.clone(), bad.clone(), good.clone()]));
        assert_eq!(read.request.resource_spans[0].scope_spans[0].spans.len(), 2, "{bad}");
        assert_eq!(read.refused.items, 1, "{bad}");
        assert!(read.refused.why.unwrap().starts_with("a span: "), "{bad}");
    }
    let deep = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(200), "]}}".repeat(200));
    let bad = export("orders", &[good.clone(), json!({ "attributes": [{ "value": "deep" }] })]);
    let read = traces(bad.to_string().replace(r#""deep""#, &deep).as_bytes()).unwrap();
    assert_eq!(
        (read.request.resource_spans[0].scope_spans[0].spans.len(), read.refused.items),
        (1, 1)
    );
}

#[test]
fn a_resource_or_a_scope_with_a_mistake_costs_its_spans_only() {
    let good = span(1, 0, 2, "Place", 0, &[]);
    let scope = json!({ "spans": [good, good] });
    let json = json!({ "resourceSpans": [
        { "resource": 5, "scopeSpans": [scope] },
        { "resource": { "attributes": "x" }, "scopeSpans": [scope] },
        { "scopeSpans": [scope, { "scope": { "name": 1 }, "spans": [good] }, 7, { "spans": {} }] },
        "orders",
    ]});
    let read = read(&json);
    assert_eq!(read.request.resource_spans.len(), 1);
    assert_eq!(read.request.resource_spans[0].scope_spans.len(), 1);
    assert_eq!(read.refused.items, 2 + 2 + 1);
}

#[test]
fn a_request_that_is_no_export_is_refused_as_a_whole() {
    for bad in
        ["", "[]", "5", "null", "{", r#"{"resourceSpans": {}}"#, r#"{"resourceSpans": 5}"#, "{} {}"]
    {
        assert!(traces(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn log_records_are_read_alike() {
    let good = json!({
        "observed_time_unix_nano": 9, "severityNumber": "SEVERITY_NUMBER_WARN", "body": { "stringValue": "hello" },
        "traceId": TRACE, "severityText": null, "eventName": "browser.web_vital",
    });
    let json = json!({ "resource_logs": [{ "scope_logs": [{ "log_records": [good, { "severityNumber": [] }] }] }] });
    let read = logs(json.to_string().as_bytes()).unwrap();
    let records = &read.request.resource_logs[0].scope_logs[0].log_records;
    assert_eq!((records.len(), read.refused.items), (1, 1));
    assert_eq!(records[0].event_name, "browser.web_vital");
    assert_eq!((records[0].severity_number, records[0].observed_time_unix_nano), (13, 9));
}
