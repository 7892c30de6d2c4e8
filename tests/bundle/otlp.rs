//! Telemetry made by hand, sent to a Collector as any program would: OTLP over HTTP, in JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Attributes as OTLP writes them.
pub(crate) fn attributes(pairs: &[(&str, &str)]) -> Value {
    let one =
        |(key, value): &(&str, &str)| json!({ "key": key, "value": { "stringValue": value } });
    pairs.iter().map(one).collect()
}

/// A moment as OTLP writes it, so long ago.
pub(crate) fn ago(time: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now.saturating_sub(time).as_nanos().to_string()
}

/// One span that is a trace of its own, as long as this.
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

/// Sends it to a Collector's HTTP port.
pub(crate) async fn send(collector: &str, path: &str, body: &Value) {
    let answer = reqwest::Client::new().post(format!("{collector}{path}")).json(body).send().await;
    let status = answer.expect("the Collector").status();
    assert!(status.is_success(), "{path}: {status}");
}

/// The id of a trace that nobody else has.
pub(crate) fn trace_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
