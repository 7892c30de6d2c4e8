//! Handmade telemetry, sent to a Collector as any program would send it: OTLP over HTTP, in JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Attributes in OTLP's JSON format.
pub(crate) fn attributes(pairs: &[(&str, &str)]) -> Value {
    let one =
        |(key, value): &(&str, &str)| json!({ "key": key, "value": { "stringValue": value } });
    pairs.iter().map(one).collect()
}

/// The moment this long ago, in OTLP's JSON format.
pub(crate) fn ago(time: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now.saturating_sub(time).as_nanos().to_string()
}

/// One span of this duration, in a trace of its own.
pub(crate) fn span(trace_id: &str, took: Duration, error: bool) -> Value {
    json!({
        "traceId": trace_id,
        "spanId": &trace_id[..16],
        "name": "by hand",
        "kind": 1,
        "startTimeUnixNano": ago(took),
        "endTimeUnixNano": ago(Duration::ZERO),
        "status": { "code": if error { 2 } else { 0 } },
    })
}

/// Spans of a service.
pub(crate) fn traces(resource: &[(&str, &str)], spans: Vec<Value>) -> Value {
    json!({ "resourceSpans": [{
        "resource": { "attributes": attributes(resource) },
        "scopeSpans": [{ "scope": { "name": "by hand" }, "spans": spans }],
    }] })
}

/// Log lines of a service.
pub(crate) fn lines(resource: &[(&str, &str)], lines: Vec<Value>) -> Value {
    json!({ "resourceLogs": [{
        "resource": { "attributes": attributes(resource) },
        "scopeLogs": [{ "scope": { "name": "by hand" }, "logRecords": lines }],
    }] })
}

/// Sends a body to a Collector's HTTP port.
pub(crate) async fn send(collector: &str, path: &str, body: &Value) {
    let answer = reqwest::Client::new().post(format!("{collector}{path}")).json(body).send().await;
    let status = answer.expect("the Collector").status();
    assert!(status.is_success(), "{path}: {status}");
}

/// A random trace id.
pub(crate) fn trace_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
