//! Single records that break a limit.

use super::*;

/// A mistake in a span: the reason that is counted, what the answer says, and the fields.
type Mistake<'a> = (&'a str, &'a str, Value);

/// Each span with a mistake is left out; the answer names the input, the limit and what to do, and the others are forwarded.
async fn are_left_out(mistakes: &[Mistake<'_>]) {
    for (reason, says, fields) in mistakes {
        let mut gateway = TestGateway::new().await;
        let bad = with(click(), fields);
        let answer = gateway.export(TRACES, &traces(&[bad, click()])).await;
        let shown = fields.to_string().chars().take(200).collect::<String>();
        assert_eq!(answer.status, 200, "{shown}: {}", answer.text);
        let partial = &answer.body["partialSuccess"];
        assert_eq!(partial["rejectedSpans"], "1", "{shown}: {}", answer.text);
        let message = partial["errorMessage"].as_str().unwrap();
        assert!(message.contains(says), "{shown}: {message}");
        let series = format!(
            "mesh_gateway_browser_records_refused_total{{reason=\"{reason}\",signal=\"spans\"}}"
        );
        assert_eq!(gateway.metric(&series), 1.0, "{shown}: {message}");
        let forwarded = gateway.forwarded.spans.recv().await.unwrap();
        assert_eq!(forwarded.scope_spans[0].spans.len(), 1, "{shown}");
    }
}

#[tokio::test]
async fn a_span_with_a_wrong_id_or_time_is_left_out() {
    let ids = [
        ("traceId is no id; expected 32", json!({ "traceId": "4bf9" })),
        ("traceId is no id", json!({ "traceId": "0".repeat(32) })),
        ("spanId is no id; expected 16", json!({ "spanId": null })),
        ("parentSpanId is no id", json!({ "parentSpanId": "00" })),
        ("spanId of a link", json!({ "links": [{ "traceId": TRACE }] })),
    ];
    are_left_out(&ids.map(|(says, fields)| ("id", says, fields))).await;
    let far = u64::MAX.to_string();
    let times = [
        ("60 s ahead; correct the clock", json!({ "endTimeUnixNano": at(90) })),
        ("60 s ahead", json!({ "startTimeUnixNano": at(90), "endTimeUnixNano": at(91) })),
        ("600 s ago; send records sooner", json!({ "startTimeUnixNano": at(-3600) })),
        ("600 s ago", json!({ "startTimeUnixNano": null })),
        ("is before", json!({ "startTimeUnixNano": at(0), "endTimeUnixNano": at(-5) })),
        ("of an event", json!({ "events": [{ "name": "x", "timeUnixNano": far }] })),
    ];
    are_left_out(&times.map(|(says, fields)| ("time", says, fields))).await;
}

#[tokio::test]
async fn a_span_that_no_page_makes_is_left_out() {
    let names = [
        ("kind 2 is not one of a page's", json!({ "kind": 2 })),
        ("kind 77 is not one", json!({ "kind": 77 })),
        ("begin with one of \"click \"", json!({ "name": "process payments.events" })),
        ("begin with one of \"receive \"", json!({ "kind": 5 })),
        ("begin with one of \"GET \"", json!({ "kind": 3, "name": "GET " })),
    ];
    are_left_out(&names.map(|(says, fields)| ("name", says, fields))).await;
    let keys = [
        ("\"db.system.name\" is none", text("db.system.name", "oracle")),
        ("\"messaging.system\" is none", text("messaging.system", "kafka")),
        ("\"service.name\" is none", text("service.name", "orders")),
        ("\"order.status\" is none", text("order.status", "completed")),
    ];
    let keys = keys.map(|(says, key)| ("attributes", says, json!({ "attributes": [key] })));
    are_left_out(&keys).await;
}

#[tokio::test]
async fn a_span_with_attributes_beyond_the_limits_is_left_out() {
    let long = format!("click {}", "x".repeat(200));
    let status = json!({ "code": 2, "message": "x".repeat(3000) });
    let lengths = [
        ("the name has 206 bytes; expected at most 96", json!({ "name": long })),
        ("status' message has 3000 bytes", json!({ "status": status })),
        (
            "there are 33 attributes; expected at most 32",
            json!({ "attributes": vec![text("app.x", "y"); 33] }),
        ),
    ];
    are_left_out(&lengths.map(|(says, fields)| ("attributes", says, fields))).await;
    let value = |value: Value| json!({ "key": "app.x", "value": value });
    let deep = json!({ "arrayValue": { "values": [{ "arrayValue": {} }] } });
    let values = [
        ("has 2049 bytes; expected at most 2048", text("app.x", &"y".repeat(2049))),
        ("key has 68 bytes; expected at most 64", text(&format!("app.{}", "y".repeat(64)), "")),
        ("no text, number or truth value", value(json!({ "kvlistValue": { "values": [] } }))),
        ("no text, number or truth value", value(json!({ "bytesValue": "AAAA" }))),
        ("no text, number or truth value", value(json!({ "doubleValue": "NaN" }))),
        ("list of other things", value(deep)),
    ];
    let values = values.map(|(says, one)| ("attributes", says, json!({ "attributes": [one] })));
    are_left_out(&values).await;
    let event = json!({ "name": "x", "timeUnixNano": at(-1) });
    let events = json!({ "events": vec![event; 9] });
    are_left_out(&[("parts", "there are 9 events; expected at most 8", events)]).await;
}

#[tokio::test]
async fn a_span_of_wrong_types_is_left_out() {
    let nested = json!({ "a": [] });
    for fields in [json!({ "attributes": 5 }), json!({ "name": nested }), json!({ "kind": [] })] {
        are_left_out(&[("unreadable", "a span: ", fields)]).await;
    }
}

#[tokio::test]
async fn an_event_that_breaks_a_limit_is_left_out() {
    let mut gateway = TestGateway::new().await;
    for (says, fields) in [
        ("eventName \"order.paid\" is none", json!({ "eventName": "order.paid" })),
        ("eventName \"\" is none", json!({ "eventName": null })),
        ("more than 60 s ahead", json!({ "timeUnixNano": at(100) })),
        ("the body is no text", json!({ "body": { "kvlistValue": {} } })),
        ("the body has 3000 bytes", json!({ "body": { "stringValue": "x".repeat(3000) } })),
        ("traceId is no id", json!({ "traceId": "ff" })),
        ("attribute \"host.name\" is none", json!({ "attributes": [text("host.name", "x")] })),
    ] {
        let answer = gateway.export(LOGS, &logs(&[with(vital(), &fields), vital()])).await;
        let partial = &answer.body["partialSuccess"];
        assert_eq!(partial["rejectedLogRecords"], "1", "{fields}");
        assert!(partial["errorMessage"].as_str().unwrap().contains(says), "{fields}: {partial}");
        let forwarded = gateway.forwarded.logs.recv().await.unwrap();
        assert_eq!(forwarded.scope_logs[0].log_records.len(), 1);
    }
}
