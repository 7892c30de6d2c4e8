//! An OTLP receiver that keeps all spans and log records.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1 as otlp,
};
use parking_lot::Mutex;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// The kind of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work inside a service.
    Internal,
    /// The receiving side of a call.
    Server,
    /// The sending side of a call.
    Client,
    /// Sends a message.
    Producer,
    /// Handles a message.
    Consumer,
}

/// One span; ids are in hexadecimal.
#[derive(Clone, Debug)]
pub struct Span {
    /// The service that recorded it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The trace it belongs to.
    pub trace_id: String,
    /// Its id.
    pub id: String,
    /// Its parent's id; empty at the root.
    pub parent: String,
    /// The spans it is linked to: trace id and span id.
    pub links: Vec<(String, String)>,
    /// Its attributes; values as text.
    pub attributes: BTreeMap<String, String>,
    /// Whether it ended with an error.
    pub error: bool,
    /// When it started, in nanoseconds since the Unix epoch.
    pub start: u64,
}

/// One log record.
#[derive(Clone, Debug)]
pub struct Line {
    /// The service that wrote it.
    pub service: String,
    /// Its body.
    pub body: String,
    /// `INFO`, `WARN`, …
    pub severity: String,
    /// The trace it belongs to; empty if it belongs to none.
    pub trace_id: String,
}

#[derive(Clone, Default)]
struct Kept {
    spans: Arc<Mutex<Vec<Span>>>,
    lines: Arc<Mutex<Vec<Line>>>,
}

/// An OTLP receiver on a port of its own; it stops when dropped.
pub struct Collector {
    /// The address it listens on.
    pub address: SocketAddr,
    kept: Kept,
    server: JoinHandle<()>,
}

impl Collector {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let kept = Kept::default();
        let (traces, logs) =
            (TraceServiceServer::new(kept.clone()), LogsServiceServer::new(kept.clone()));
        #[expect(clippy::disallowed_methods, reason = "a test's own server, ended with it")]
        let server = tokio::spawn(async move {
            let router = tonic::transport::Server::builder().add_service(traces).add_service(logs);
            drop(router.serve_with_incoming(TcpIncoming::from(listener)).await);
        });
        Self { address, kept, server }
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Span> {
        self.kept.spans.lock().clone()
    }

    /// Every log record so far.
    pub fn lines(&self) -> Vec<Line> {
        self.kept.lines.lock().clone()
    }

    /// The spans of one trace.
    pub fn trace(&self, trace_id: &str) -> Vec<Span> {
        self.kept.spans.lock().iter().filter(|span| span.trace_id == trace_id).cloned().collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let service =
                service(resource.resource.map(|resource| resource.attributes).unwrap_or_default());
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.lock().extend(spans.map(|one| span(&service, one)));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Kept {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        for resource in request.into_inner().resource_logs {
            let service =
                service(resource.resource.map(|resource| resource.attributes).unwrap_or_default());
            let records = resource.scope_logs.into_iter().flat_map(|scope| scope.log_records);
            self.lines.lock().extend(records.map(|record| Line {
                service: service.clone(),
                body: record.body.map(text).unwrap_or_default(),
                severity: record.severity_text,
                trace_id: hex(&record.trace_id),
            }));
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

fn service(attributes: Vec<KeyValue>) -> String {
    let named = attributes.into_iter().find(|attribute| attribute.key == "service.name");
    named.and_then(|attribute| attribute.value).map(text).unwrap_or_default()
}

fn span(service: &str, span: otlp::Span) -> Span {
    let kind = match span.kind() {
        otlp::span::SpanKind::Server => Kind::Server,
        otlp::span::SpanKind::Client => Kind::Client,
        otlp::span::SpanKind::Producer => Kind::Producer,
        otlp::span::SpanKind::Consumer => Kind::Consumer,
        otlp::span::SpanKind::Unspecified | otlp::span::SpanKind::Internal => Kind::Internal,
    };
    let attributes =
        span.attributes.into_iter().map(|one| (one.key, one.value.map(text).unwrap_or_default()));
    Span {
        service: service.to_owned(),
        kind,
        trace_id: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        attributes: attributes.collect(),
        error: span.status.is_some_and(|status| status.code() == otlp::status::StatusCode::Error),
        start: span.start_time_unix_nano,
        name: span.name,
    }
}

fn text(value: AnyValue) -> String {
    match value.value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
