//! The Collector removes secrets from telemetry, and keeps values that only resemble them.

use std::{fs, time::Duration};

use harness::until;
use serde_json::{Value, json};

use crate::{
    otlp::{self, attributes},
    stack::Stack,
};

/// Attributes that are secrets because of their name, whatever the value.
const NAMED: [(&str, &str); 6] = [
    ("http.request.header.authorization", "Basic s3cr3t-authorization"),
    ("db.password", "s3cr3t-password"),
    ("session_token", "s3cr3t-token"),
    ("API_KEY", "s3cr3t-key"),
    ("client.secret", "s3cr3t-client"),
    ("http.request.header.set-cookie", "s3cr3t-cookie"),
];
/// Attributes with a secret inside their text, and the text that must remain.
const WRITTEN: [(&str, &str, &str); 6] = [
    (
        "note.url",
        "at postgres://orders:s3cr3t@db:5432/orders",
        "at postgres://orders:[redacted]@db:5432/orders",
    ),
    ("note.bearer", "sent Bearer s3cr3t.jwt.x", "sent Bearer [redacted]"),
    ("note.query", "GET /x?page=2&token=s3cr3t&sort=up", "GET /x?page=2&token=[redacted]&sort=up"),
    ("note.card", "paid with 4111 1111 1111 1111, twice", "paid with [card], twice"),
    ("note.amex", "371449635398431", "[card]"),
    // Attributes with this name are not searched in general, but this one has a template, so its value contains external
    // data.
    ("messaging.destination.name", "live.orders.token=s3cr3t.7", "live.orders.token=[redacted]"),
];
/// Attributes that must stay unchanged, although they have many digits or contain a suspicious word.
const INNOCENT: [(&str, &str); 6] = [
    ("order.id", "41111111-1111-4111-8111-111111111111"),
    ("time.nanos", "1766336000123456789"),
    ("trace.other", "41111111111111114111111111111111"),
    ("url.full", "http://orders:9090/mesh.orders.v1.Orders/Place"),
    ("messaging.destination.template", "live.orders.{customer}.{order}"),
    ("note.words", "the word token alone"),
];
/// Each secret above contains one of these; no other text does.
const MARKS: [&str; 3] = ["s3cr3t", "4111 1111", "371449635398431"];

/// One attribute of each kind.
fn everything() -> Value {
    let mut pairs = Vec::from(NAMED);
    pairs.extend(WRITTEN.map(|(key, before, _)| (key, before)));
    pairs.extend(INNOCENT);
    attributes(&pairs)
}

/// Panics if this text contains a secret, or lacks a value that should have stayed.
fn assert_redacted(exported: &str) {
    for mark in MARKS {
        assert!(!exported.contains(mark), "{mark} got through: {exported}");
    }
    for (key, _) in NAMED {
        assert!(!exported.contains(key), "{key} got through: {exported}");
    }
    for (_, _, after) in WRITTEN {
        assert!(exported.contains(after), "no {after:?} in {exported}");
    }
    for (_, value) in INNOCENT {
        assert!(exported.contains(value), "no {value:?} in {exported}");
    }
    assert!(exported.contains("mesh.redacted"), "{exported}");
}

#[tokio::test]
#[ignore = "needs Collector and Jaeger: .ci/run has them"]
async fn secrets_are_redacted_from_spans() {
    let stack = Stack::running();
    let collector = stack.address("OTLP_HTTP");
    // Each place is tested alone, so that each is seen to be clean.
    for place in ["/attributes", "/events", "/status", "/resource"] {
        let id = otlp::trace_id();
        let mut span = otlp::span(&id, Duration::from_millis(5), true);
        let mut resource = json!([]);
        match place {
            "/attributes" => span["attributes"] = everything(),
            "/events" => {
                span["events"] = json!([{ "name": "by hand", "attributes": everything() }])
            }
            "/status" => span["status"]["message"] = "token=s3cr3t for 4111 1111 1111 1111".into(),
            _ => resource = everything(),
        }
        let mut body = otlp::traces(&[("service.name", "by-hand")], vec![span]);
        let known = body.pointer_mut("/resourceSpans/0/resource/attributes").expect("a list");
        known
            .as_array_mut()
            .expect("a list")
            .extend(resource.as_array().cloned().unwrap_or_default());
        otlp::send(collector, "/v1/traces", &body).await;
        let exported = stack.until_trace(&id).await.to_string();
        if place == "/status" {
            assert!(exported.contains("token=[redacted] for [card]"), "{exported}");
        } else {
            assert_redacted(&exported);
        }
    }
}

#[tokio::test]
#[ignore = "needs the Collector: .ci/run has it"]
async fn secrets_are_redacted_from_log_lines() {
    let stack = Stack::running();
    let id = otlp::trace_id();
    let bodies =
        WRITTEN.map(|(_, before, _)| before).into_iter().chain(INNOCENT.map(|(_, value)| value));
    let line = |body: &str| {
        json!({
            "timeUnixNano": otlp::ago(Duration::ZERO),
            "traceId": id,
            "body": { "stringValue": body },
            "attributes": everything(),
        })
    };
    let body = otlp::lines(
        &[("service.name", "by-hand"), ("api_key", "s3cr3t")],
        bodies.map(line).collect(),
    );
    otlp::send(stack.address("OTLP_HTTP"), "/v1/logs", &body).await;
    let exported = until("the log lines", || async {
        let all = fs::read_to_string(stack.folder.join("otelcol/lines.json")).ok()?;
        all.lines().find(|line| line.contains(&id)).map(str::to_owned)
    });
    assert_redacted(&exported.await);
}
