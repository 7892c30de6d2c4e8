//! Forwards the telemetry of programs that cannot reach the collector themselves, such as web pages, to where this process sends
//! its own.

#[cfg(test)]
mod tests;

use std::{future::Future, sync::Arc};

use anyhow::Context;
use http::{HeaderMap, header};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
        trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
    },
    logs::v1::ResourceLogs,
    trace::v1::ResourceSpans,
};
use prost::Message;
use tokio::sync::mpsc::Receiver;
use tonic::{
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

use super::{
    batch::{self, Account, Batches, Item, Queue},
    exporters::{self, Way},
    settings::{Protocol, Settings},
};
use crate::metrics::{IntCounter, Registry};

crate::metrics! {
    /// What became of the telemetry that is forwarded for others.
    struct Metrics in "mesh_forwarded" {
        /// Spans and log records taken from others to be forwarded.
        taken_total: IntCounterVec["signal"] = SIGNALS.map(|signal| [signal]),
        /// Spans and log records of others that the collector has received.
        exported_total: IntCounterVec["signal"] = SIGNALS.map(|signal| [signal]),
        /// Spans and log records of others that were dropped, by reason: no collector is configured, the queue was full, or the export failed.
        dropped_total: IntCounterVec["signal", "reason"] = SIGNALS.into_iter().flat_map(|signal| REASONS.map(|reason| [signal, reason])),
    }
}

const SIGNALS: [&str; 2] = ["spans", "log_records"];
const REASONS: [&str; 3] = ["no_collector", "queue_full", "export_failed"];

/// How many requests of each signal wait to be forwarded. A web page's request has at most 64 KiB of JSON, which take up to
/// 256 KiB as messages: 4 MiB, while the collector does not answer.
const QUEUE: usize = 16;

/// Forwards spans and log records; cheap to clone.
#[derive(Clone)]
pub struct Forwarder {
    spans: Forward<ResourceSpans>,
    logs: Forward<ResourceLogs>,
}

/// What a forwarder for tests would send.
#[derive(Debug)]
pub struct Forwarded {
    /// The spans, request by request.
    pub spans: Receiver<ResourceSpans>,
    /// The log records, request by request.
    pub logs: Receiver<ResourceLogs>,
}

/// Why something was not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotForwarded {
    /// This process has no collector to send to.
    NoCollector,
    /// The collector takes telemetry more slowly than it arrives.
    QueueFull,
}

/// The queue of one signal; `None` if there is no collector.
#[derive(Clone)]
struct Forward<T> {
    queue: Option<Queue<T>>,
    taken: IntCounter,
    no_collector: IntCounter,
}

impl Forwarder {
    /// Starts the tasks that send what is queued, within a runtime; [`Flush::finish`] ends them.
    pub(crate) fn start(settings: &Settings, registry: &Registry) -> anyhow::Result<(Self, Flush)> {
        let metrics = Metrics::register(registry)?;
        let (mut spans, mut logs) = (None, None);
        if !settings.disabled {
            spans = exporters::way(settings, &settings.traces, "/v1/traces")?;
            logs = exporters::way(settings, &settings.logs, "/v1/logs")?;
        }
        let (spans, span_batches) = forward(spans, &metrics, "spans", |resource_spans| {
            ExportTraceServiceRequest { resource_spans }
        })?;
        let (logs, log_batches) = forward(logs, &metrics, "log_records", |resource_logs| {
            ExportLogsServiceRequest { resource_logs }
        })?;
        let batches = span_batches.into_iter().chain(log_batches).collect();
        Ok((Self { spans, logs }, Flush(batches)))
    }

    /// A forwarder for tests of code that uses one, and what it would send; its queues have room for `length` requests.
    ///
    /// # Errors
    /// The registry already has its metrics.
    pub fn for_tests(registry: &Registry, length: usize) -> anyhow::Result<(Self, Forwarded)> {
        let metrics = Metrics::register(registry)?;
        let (spans, sent_spans) = Queue::new(length, account(&metrics, "spans"));
        let (logs, sent_logs) = Queue::new(length, account(&metrics, "log_records"));
        let forwarder = Self {
            spans: Forward::new(Some(spans), &metrics, "spans"),
            logs: Forward::new(Some(logs), &metrics, "log_records"),
        };
        Ok((forwarder, Forwarded { spans: sent_spans, logs: sent_logs }))
    }

    /// Queues the spans of one resource, without waiting.
    ///
    /// # Errors
    /// They were dropped and counted, for this reason.
    pub fn spans(&self, spans: ResourceSpans) -> Result<(), NotForwarded> {
        self.spans.put(spans)
    }

    /// Queues the log records of one resource, without waiting.
    ///
    /// # Errors
    /// They were dropped and counted, for this reason.
    pub fn logs(&self, logs: ResourceLogs) -> Result<(), NotForwarded> {
        self.logs.put(logs)
    }
}

/// The tasks of a forwarder.
pub(crate) struct Flush(Vec<Batches>);

impl Flush {
    /// Sends what is queued, as far as the time allows.
    pub(crate) async fn finish(self) -> anyhow::Result<()> {
        futures::future::join_all(self.0.into_iter().map(Batches::finish)).await;
        Ok(())
    }
}

impl Item for ResourceSpans {
    fn count(&self) -> u64 {
        self.scope_spans.iter().map(|scope| scope.spans.len() as u64).sum()
    }
}

impl Item for ResourceLogs {
    fn count(&self) -> u64 {
        self.scope_logs.iter().map(|scope| scope.log_records.len() as u64).sum()
    }
}

impl<T: Item> Forward<T> {
    fn new(queue: Option<Queue<T>>, metrics: &Metrics, signal: &str) -> Self {
        let taken = metrics.taken_total.with_label_values(&[signal]);
        let no_collector = metrics.dropped_total.with_label_values(&[signal, "no_collector"]);
        Self { queue, taken, no_collector }
    }

    fn put(&self, item: T) -> Result<(), NotForwarded> {
        let count = item.count();
        self.taken.inc_by(count);
        let Some(queue) = &self.queue else {
            self.no_collector.inc_by(count);
            return Err(NotForwarded::NoCollector);
        };
        if queue.put(item) { Ok(()) } else { Err(NotForwarded::QueueFull) }
    }
}

fn forward<T: Item, R: Request>(
    way: Option<Way>,
    metrics: &Metrics,
    signal: &str,
    request: fn(Vec<T>) -> R,
) -> anyhow::Result<(Forward<T>, Option<Batches>)> {
    let Some(way) = way else { return Ok((Forward::new(None, metrics, signal), None)) };
    let (limit, client) = (way.timeout, Arc::new(Client::new(way)?));
    let (queue, batches) = batch::start(QUEUE, limit, account(metrics, signal), move |items| {
        let (client, request) = (Arc::clone(&client), request(items));
        async move { client.send(request).await.map_err(|error| format!("{error:#}")) }
    });
    Ok((Forward::new(Some(queue), metrics, signal), Some(batches)))
}

fn account(metrics: &Metrics, signal: &str) -> Account {
    let dropped = |reason| metrics.dropped_total.with_label_values(&[signal, reason]);
    Account {
        started: metrics.taken_total.with_label_values(&[signal]),
        exported: metrics.exported_total.with_label_values(&[signal]),
        overflowed: dropped("queue_full"),
        failed: dropped("export_failed"),
    }
}

/// An export of one signal.
trait Request: Message + Send + 'static {
    fn call(
        self,
        channel: Channel,
        headers: HeaderMap,
    ) -> impl Future<Output = Result<(), tonic::Status>> + Send;
}

impl Request for ExportTraceServiceRequest {
    async fn call(self, channel: Channel, headers: HeaderMap) -> Result<(), tonic::Status> {
        TraceServiceClient::new(channel).export(with(self, headers)).await.map(drop)
    }
}

impl Request for ExportLogsServiceRequest {
    async fn call(self, channel: Channel, headers: HeaderMap) -> Result<(), tonic::Status> {
        LogsServiceClient::new(channel).export(with(self, headers)).await.map(drop)
    }
}

fn with<R>(request: R, headers: HeaderMap) -> tonic::Request<R> {
    let metadata = MetadataMap::from_headers(headers);
    tonic::Request::from_parts(metadata, tonic::Extensions::new(), request)
}

/// The SDK's exporters take spans that the SDK has made, under one resource; this client takes OTLP's messages as they are.
enum Client {
    Grpc(Channel, HeaderMap),
    Http(reqwest::Client, String, HeaderMap),
}

impl Client {
    fn new(way: Way) -> anyhow::Result<Self> {
        let Way { endpoint, protocol, headers, timeout } = way;
        Ok(match protocol {
            Protocol::Grpc => {
                let endpoint = Endpoint::from_shared(endpoint).context("the collector's URL")?;
                Self::Grpc(endpoint.connect_timeout(timeout).connect_lazy(), headers)
            }
            Protocol::HttpProtobuf => Self::Http(exporters::client(timeout)?, endpoint, headers),
        })
    }

    async fn send(&self, request: impl Request) -> anyhow::Result<()> {
        match self {
            Self::Grpc(channel, headers) => {
                request.call(channel.clone(), headers.clone()).await?;
            }
            Self::Http(client, url, headers) => {
                let post = client.post(url).headers(headers.clone());
                let post = post.header(header::CONTENT_TYPE, "application/x-protobuf");
                post.body(request.encode_to_vec()).send().await?.error_for_status()?;
            }
        }
        Ok(())
    }
}
