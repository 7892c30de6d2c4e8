//! The way from a topic to its handler.

use std::sync::Arc;

use futures::future::BoxFuture;
use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanBuilder, SpanKind, Status, TraceContextExt},
};
use proto::topics::Envelope;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Producer, Settings,
    dead_letter::{self, Reason, Verdict},
    metrics::{Outcome, Topic},
    record::Record,
};
use crate::telemetry;

/// A topic's handler, whatever its message.
pub(super) trait Route: Send + Sync {
    /// What it needs.
    fn scope(&self) -> &Scope;

    /// Whether records are handled as they come, several of a partition at once.
    fn batches(&self) -> bool;

    /// Handles records; the offsets of those that are done with.
    fn process(
        self: Arc<Self>,
        records: Vec<Record>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Vec<i64>>;
}

/// What all handlers of one topic need.
pub(super) struct Scope {
    pub(super) topic: &'static str,
    pub(super) group: &'static str,
    pub(super) types: &'static [&'static str],
    pub(super) settings: Settings,
    pub(super) producer: Producer,
    pub(super) metrics: Arc<Topic>,
}

impl Scope {
    /// By the header alone, where there is one.
    pub(super) fn wants(&self, record: &Record) -> bool {
        !record.is_for_another(self.group)
            && record.event_type().is_none_or(|kind| self.types.contains(&kind))
    }

    /// <https://opentelemetry.io/docs/specs/semconv/messaging/kafka/>
    fn builder(&self) -> SpanBuilder {
        SpanBuilder::from_name(format!("process {}", self.topic)).with_kind(SpanKind::Consumer)
    }

    fn attributes(&self, partition: i32) -> Vec<KeyValue> {
        vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.destination.name", self.topic),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.consumer.group.name", self.group),
            KeyValue::new("messaging.destination.partition.id", partition.to_string()),
        ]
    }

    /// The span of one event: its producer's child, and linked to it.
    pub(super) fn span(&self, record: &Record) -> Context {
        let parent = record.context();
        let mut attributes = self.attributes(record.partition);
        attributes.push(KeyValue::new("messaging.kafka.offset", record.offset));
        attributes.push(KeyValue::new("messaging.message.id", record.id()));
        attributes.push(KeyValue::new("cloudevents.event_id", record.id()));
        if let Some(kind) = record.event_type() {
            attributes.push(KeyValue::new("cloudevents.event_type", kind.to_owned()));
        }
        let links = link(&parent).into_iter().collect();
        let tracer = telemetry::tracer();
        let span = self
            .builder()
            .with_attributes(attributes)
            .with_links(links)
            .start_with_context(tracer, &parent);
        parent.with_span(span)
    }

    /// The span of a batch of several: a trace of its own, linked to each event's.
    pub(super) fn batch_span(&self, records: &[&Record]) -> Context {
        let mut attributes = self.attributes(records.first().map_or(-1, |record| record.partition));
        attributes.push(KeyValue::new("messaging.batch.message_count", records.len() as i64));
        let links = records.iter().filter_map(|record| link(&record.context())).collect();
        let root = Context::new();
        let tracer = telemetry::tracer();
        let span = self
            .builder()
            .with_attributes(attributes)
            .with_links(links)
            .start_with_context(tracer, &root);
        root.with_span(span)
    }

    /// Whether this version knows the event, and the handler wants it: for records that do not say it in a header.
    pub(super) fn knows(&self, body: &impl Envelope) -> bool {
        body.event_type().is_some_and(|kind| self.types.contains(&kind))
    }

    pub(super) fn skipped(&self) {
        self.metrics.duration(Outcome::Skipped).observe(0.0);
    }

    /// Ends a span and measures what it spanned.
    pub(super) fn end(&self, context: &Context, outcome: Outcome, started: Instant) {
        let attached = context.clone().attach();
        self.metrics.duration(outcome).observe(started.elapsed().as_secs_f64());
        drop(attached);
        context.span().end();
    }

    /// Measures how long the event was on its way.
    pub(super) fn arrived(&self, context: &Context, record: &Record) {
        let attached = context.clone().attach();
        self.metrics
            .delay
            .observe(record.published_at().elapsed().unwrap_or_default().as_secs_f64());
        drop(attached);
    }

    /// Sets an event aside, unless somebody else has to.
    pub(super) async fn bury(
        &self,
        record: &Record,
        context: &Context,
        cancel: &CancellationToken,
        cause: (Reason, &str, u32),
    ) -> Outcome {
        let (reason, error, attempts) = cause;
        let verdict = Verdict { reason, error, attempts, group: self.group };
        let span = context.span();
        span.set_status(Status::error(error.to_owned()));
        span.set_attribute(KeyValue::new("error.type", reason.label()));
        let sent = dead_letter::send(&self.producer, record, &verdict, context);
        if cancel.run_until_cancelled(sent).await.is_none() {
            return Outcome::Abandoned;
        }
        self.metrics.dead_letters.with_label_values(&[self.topic, reason.label()]).inc();
        let attached = context.clone().attach();
        tracing::error!(
            topic = self.topic,
            partition = record.partition,
            offset = record.offset,
            event.id = %record.id(),
            event.kind = record.event_type(),
            reason = reason.label(),
            attempts,
            error,
            "an event became a dead letter"
        );
        drop(attached);
        Outcome::DeadLettered
    }
}

fn link(context: &Context) -> Option<Link> {
    let producer = context.span().span_context().clone();
    producer.is_valid().then(|| Link::new(producer, Vec::new(), 0))
}
