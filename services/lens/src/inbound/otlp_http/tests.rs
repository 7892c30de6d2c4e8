//! What exporters may send.

use std::io::Write;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::{Value, json};

use super::{BODY_LIMIT, Status};
use crate::inbound::tests::{TRACE, TestLens, span, traces, with};

fn request(kind: &str, encoding: &str, body: Vec<u8>) -> Request<Body> {
    let request = Request::post("/v1/traces")
        .header("content-type", kind)
        .header("content-encoding", encoding);
    request.body(body.into()).unwrap()
}

fn a_span() -> Value {
    traces("orders", &[span(1, 0, 2, "Place", 0, &[])])
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn spans_come_as_protobuf_or_json_zipped_or_not() {
    let message: ExportTraceServiceRequest = serde_json::from_value(a_span()).unwrap();
    let (protobuf, text) = (message.encode_to_vec(), a_span().to_string().into_bytes());
    for (kind, body) in [
        ("application/x-protobuf", protobuf.clone()),
        ("Application/X-Protobuf", protobuf),
        ("application/json; charset=utf-8", text.clone()),
        ("APPLICATION/JSON;Charset=UTF-8", text),
    ] {
        for (encoding, body) in
            [("identity", body.clone()), ("gzip", zipped(&body)), ("GZip", zipped(&body))]
        {
            let server = TestLens::new();
            let (status, answer) = server.ask(request(kind, encoding, body)).await;
            assert_eq!(status, StatusCode::OK, "{kind} {encoding}");
            assert!(answer.is_empty() || answer == b"{}", "{answer:?}");
            assert_eq!(server.get(&format!("/api/traces/{TRACE}")).await.0, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn what_could_not_be_taken_is_said() {
    let server = TestLens::new();
    let spans = [
        with(span(1, 0, 2, "Place", 0, &[]), &json!({ "traceId": "" })),
        span(2, 0, 2, "Place", 0, &[]),
    ];
    let (status, answer) = server.post("/v1/traces", &traces("orders", &spans)).await;
    assert_eq!((status, &answer["partialSuccess"]["rejectedSpans"]), (StatusCode::OK, &json!("1")));
    let message: ExportTraceServiceRequest =
        serde_json::from_value(traces("orders", &spans)).unwrap();
    let (_, answer) =
        server.ask(request("application/x-protobuf", "", message.encode_to_vec())).await;
    let answer = ExportTraceServiceResponse::decode(answer.as_slice()).unwrap();
    assert_eq!(answer.partial_success.unwrap().rejected_spans, 1);
    assert!(
        server.registry.text().contains(r#"mesh_lens_spans_refused_total{reason="invalid"} 2"#)
    );
}

/// The other items are accepted, and the answer names the mistake.
#[tokio::test]
async fn one_item_that_cannot_be_read_does_not_refuse_the_others() {
    let server = TestLens::new();
    let bad = with(span(1, 0, 2, "Place", 0, &[]), &json!({ "kind": [] }));
    let spans = [bad, span(2, 0, 2, "Place", 0, &[])];
    let (status, answer) = server.post("/v1/traces", &traces("orders", &spans)).await;
    let partial = &answer["partialSuccess"];
    assert_eq!((status, &partial["rejectedSpans"]), (StatusCode::OK, &json!("1")));
    assert!(partial["errorMessage"].as_str().unwrap().contains("a span: "), "{answer}");
    assert_eq!(server.get(&format!("/api/traces/{TRACE}")).await.0, StatusCode::OK);
    let records = json!([{ "body": { "stringValue": "a" } }, { "body": 5 }]);
    let lines = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] });
    let (status, answer) = server.post("/v1/logs", &lines).await;
    assert_eq!(
        (status, &answer["partialSuccess"]["rejectedLogRecords"]),
        (StatusCode::OK, &json!("1"))
    );
    assert_eq!(server.answer("/lens/v1/logs").await["items"][0]["body"], "a");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_the_encoding_it_came_in() {
    let server = TestLens::new();
    let bomb = zipped(&vec![b' '; BODY_LIMIT + 1]);
    let cases = [
        (request("application/json", "", b"{".to_vec()), StatusCode::BAD_REQUEST, "EOF"),
        (request("application/json", "gzip", b"{}".to_vec()), StatusCode::BAD_REQUEST, "no gzip"),
        (request("application/json", "gzip", bomb), StatusCode::BAD_REQUEST, "larger than"),
        (
            request("application/json", "zstd", b"{}".to_vec()),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "gzip, or none",
        ),
        (
            request("text/plain", "", b"{}".to_vec()),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "application/x-protobuf",
        ),
    ];
    for (request, expected, word) in cases {
        let (status, body) = server.ask(request).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, &body["code"]), (expected, &json!(3)), "{body}");
        assert!(body["message"].as_str().unwrap().contains(word), "{body}");
    }
    let (_, body) = server.ask(request("application/x-protobuf", "", b"\xff\xff".to_vec())).await;
    assert_eq!(Status::decode(body.as_slice()).unwrap().code, 3);
}

#[tokio::test]
async fn metrics_are_asked_for_not_taken() {
    let (status, body) = TestLens::new().post("/v1/metrics", &json!({})).await;
    assert_eq!((status, &body["code"]), (StatusCode::NOT_IMPLEMENTED, &json!(12)));
}
