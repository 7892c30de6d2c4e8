//! The whole service, over its ports.

use std::{net::TcpListener, time::Duration};

use chassis::{
    Identity,
    app::{self, load},
    config::Sources,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, trace_service_client::TraceServiceClient,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tonic::codec::CompressionEncoding;

use crate::{Config, wire};

const LENS: Identity =
    Identity { name: "lens", version: "0.0.0", revision: "unknown", services: &["lens"] };

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

async fn get(address: &str, path: &str) -> Option<Value> {
    reqwest::get(format!("http://{address}{path}")).await.ok()?.json().await.ok()
}

/// Repeats a request until the answer fits; the test's own timeout ends it.
async fn until(address: &str, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        match get(address, path).await {
            Some(answer) if fits(&answer) => return answer,
            _ => sleep(Duration::from_millis(20)).await,
        }
    }
}

fn a_span() -> ExportTraceServiceRequest {
    let span = json!({
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "00000000000000aa", "name": "Place", "kind": 2,
        "startTimeUnixNano": "1000", "endTimeUnixNano": "2000",
    });
    let service = json!({ "key": "service.name", "value": { "stringValue": "orders" } });
    let request = json!({ "resourceSpans": [{
        "resource": { "attributes": [service] }, "scopeSpans": [{ "spans": [span] }],
    }]});
    serde_json::from_value(request).unwrap()
}

/// Lens exports to itself, as under `mesh up`: its own spans are those of queries, not of the requests that deliver spans.
#[tokio::test]
async fn it_takes_spans_and_does_not_watch_itself_taking_them() {
    let (http, grpc, admin) = (free_address(), free_address(), free_address());
    let environment = [
        ("MESH_LENS__LISTEN", http.clone()),
        ("MESH_LENS__OTLP_LISTEN", grpc.clone()),
        ("MESH_LENS__MEMORY", "16MiB".to_owned()),
        ("MESH_ADMIN__LISTEN", admin.clone()),
        ("MESH_LENS__SCRAPE__EVERY", "50ms".to_owned()),
        ("MESH_LENS__SCRAPE__TARGETS__LENS", format!("http://{admin}/metrics")),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{grpc}")),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let loaded = load::<Config>(LENS, &Sources { environment, ..Sources::default() }).unwrap();
    let story = async {
        until(&http, "/api/services", |answer| answer["total"] == 1 && answer["data"][0] == "lens")
            .await;
        let exporter = TraceServiceClient::connect(format!("http://{grpc}")).await.unwrap();
        exporter.send_compressed(CompressionEncoding::Gzip).export(a_span()).await.unwrap();
        let posted = reqwest::Client::new()
            .post(format!("http://{http}/v1/traces"))
            .json(&a_span())
            .send()
            .await;
        assert!(posted.unwrap().status().is_success());
        let trace =
            until(&http, "/api/traces?service=orders", |answer| answer["data"][0].is_object())
                .await;
        assert_eq!(trace["data"][0]["spans"][0]["operationName"], "Place");

        // By now it has exported its spans of the requests above; its exports arrived at the same port.
        until(&http, "/api/services/lens/operations", |answer| answer["total"].as_u64() >= Some(2))
            .await;
        let own = get(&http, "/api/services/lens/operations").await.unwrap();
        let answers_only = own["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|name| name.as_str().unwrap().starts_with("GET /"));
        assert!(answers_only, "{own}");

        let up =
            until(&http, "/lens/v1/services", |answer| answer["items"][0]["requests"].is_object())
                .await;
        assert_eq!(
            (&up["items"][0]["service"], &up["items"][0]["up"]),
            (&json!("lens"), &json!(true))
        );
        assert!(up["items"][0]["memory_bytes"].as_u64() > Some(1 << 20), "{up}");
    };
    tokio::select! {
        ended = app::start(LENS, loaded, wire) => panic!("it ended: {ended:?}"),
        in_time = timeout(Duration::from_secs(30), story) => in_time.unwrap(),
    }
}
