//! What is forwarded arrives, over both transports of OTLP, or is counted as dropped.

use std::future::pending;

use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    logs::v1::{LogRecord, ScopeLogs},
    trace::v1::{ScopeSpans, Span},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::TcpListenerStream;

use super::*;

fn spans(count: usize) -> ResourceSpans {
    let scope_spans =
        vec![ScopeSpans { spans: vec![Span::default(); count], ..ScopeSpans::default() }];
    ResourceSpans { scope_spans, ..ResourceSpans::default() }
}

fn logs(count: usize) -> ResourceLogs {
    let log_records = vec![LogRecord::default(); count];
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ResourceLogs { scope_logs, ..ResourceLogs::default() }
}

/// A collector that passes on what it receives, with the value of the header `key`.
#[derive(Clone)]
struct Collector(mpsc::UnboundedSender<(String, u64)>);

impl Collector {
    fn take(&self, key: Option<&str>, count: u64) {
        self.0.send((key.unwrap_or_default().to_owned(), count)).unwrap();
    }
}

fn key<T>(request: &tonic::Request<T>) -> Option<&str> {
    request.metadata().get("key").and_then(|value| value.to_str().ok())
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.take(key(&request), request.get_ref().resource_spans.iter().map(Item::count).sum());
        Ok(tonic::Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, tonic::Status> {
        self.take(key(&request), request.get_ref().resource_logs.iter().map(Item::count).sum());
        Ok(tonic::Response::new(Default::default()))
    }
}

fn settings(listener: &TcpListener, protocol: &str) -> Settings {
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    Settings {
        endpoint: endpoint.as_str().into(),
        protocol: protocol.into(),
        headers: "key=secret".into(),
        ..Settings::default()
    }
}

fn counted(registry: &Registry, series: &str) -> u64 {
    let text = registry.text();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in\n{text}")).parse().unwrap()
}

/// Sends three spans and two log records, and returns what arrives.
async fn forwarded(
    settings: &Settings,
    mut arrived: mpsc::UnboundedReceiver<(String, u64)>,
) -> Vec<(String, u64)> {
    let registry = Registry::new();
    let (forwarder, flush) = Forwarder::start(settings, &registry).unwrap();
    assert_eq!(forwarder.spans(spans(3)), Ok(()));
    assert_eq!(forwarder.logs(logs(2)), Ok(()));
    flush.finish().await.unwrap();
    let mut all = vec![arrived.recv().await.unwrap(), arrived.recv().await.unwrap()];
    all.sort();
    for (signal, count) in [("spans", 3), ("log_records", 2)] {
        let series = |name: &str| format!("mesh_forwarded_{name}_total{{signal=\"{signal}\"}}");
        assert_eq!(counted(&registry, &series("taken")), count);
        assert_eq!(counted(&registry, &series("exported")), count);
    }
    all
}

#[tokio::test]
async fn a_collector_receives_spans_and_log_records_over_grpc() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (settings, (sender, arrived)) = (settings(&listener, "grpc"), mpsc::unbounded_channel());
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(Collector(sender.clone())))
        .add_service(LogsServiceServer::new(Collector(sender)))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let mut tasks = JoinSet::new();
    tasks.spawn(server);
    let all = forwarded(&settings, arrived).await;
    assert_eq!(all, [("secret".to_owned(), 2), ("secret".to_owned(), 3)]);
}

#[tokio::test]
async fn a_collector_receives_spans_and_log_records_over_http() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (settings, (sender, arrived)) =
        (settings(&listener, "http/protobuf"), mpsc::unbounded_channel());
    let (of_traces, of_logs) = (Collector(sender.clone()), Collector(sender));
    let header = |headers: &HeaderMap| headers["key"].to_str().unwrap().to_owned();
    let traces = move |headers: HeaderMap, body: Bytes| async move {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        of_traces
            .take(Some(&header(&headers)), request.resource_spans.iter().map(Item::count).sum());
    };
    let logs = move |headers: HeaderMap, body: Bytes| async move {
        let request = ExportLogsServiceRequest::decode(body).unwrap();
        of_logs.take(Some(&header(&headers)), request.resource_logs.iter().map(Item::count).sum());
    };
    let router = Router::new().route("/v1/traces", post(traces)).route("/v1/logs", post(logs));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await });
    let all = forwarded(&settings, arrived).await;
    assert_eq!(all, [("secret".to_owned(), 2), ("secret".to_owned(), 3)]);
}

#[tokio::test]
async fn without_a_collector_everything_is_counted_as_dropped() {
    for settings in [
        Settings::default(),
        Settings { disabled: true, endpoint: "http://127.0.0.1:9".into(), ..Settings::default() },
    ] {
        let registry = Registry::new();
        let (forwarder, flush) = Forwarder::start(&settings, &registry).unwrap();
        assert_eq!(forwarder.spans(spans(3)), Err(NotForwarded::NoCollector));
        flush.finish().await.unwrap();
        let series = "mesh_forwarded_dropped_total{reason=\"no_collector\",signal=\"spans\"}";
        assert_eq!(counted(&registry, series), 3);
        assert_eq!(counted(&registry, "mesh_forwarded_taken_total{signal=\"spans\"}"), 3);
    }
}

#[tokio::test]
async fn a_collector_that_refuses_costs_what_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(&listener, "http/protobuf");
    let router = Router::new().fallback(async || StatusCode::SERVICE_UNAVAILABLE);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await });
    let registry = Registry::new();
    let (forwarder, flush) = Forwarder::start(&settings, &registry).unwrap();
    assert_eq!(forwarder.spans(spans(3)), Ok(()));
    flush.finish().await.unwrap();
    let series = "mesh_forwarded_dropped_total{reason=\"export_failed\",signal=\"spans\"}";
    assert_eq!(counted(&registry, series), 3);
}

/// A page that sends without end must not fill the memory while the collector is silent.
#[tokio::test(start_paused = true)]
async fn a_silent_collector_fills_the_queue_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(&listener, "http/protobuf");
    let router = Router::new().fallback(async || pending::<StatusCode>().await);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await });
    let registry = Registry::new();
    let (forwarder, _flush) = Forwarder::start(&settings, &registry).unwrap();
    let answers: Vec<_> = (0..100).map(|_| forwarder.spans(spans(2))).collect();
    assert_eq!(answers.iter().filter(|one| one.is_ok()).count(), QUEUE);
    let series = "mesh_forwarded_dropped_total{reason=\"queue_full\",signal=\"spans\"}";
    assert_eq!(counted(&registry, series), 2 * (100 - QUEUE as u64));
}
