//! A subscription: a topic with its handler, its spans, its metrics and its dead letters.

use std::{ops::Range, sync::Arc};

use futures::future::BoxFuture;
use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanBuilder, SpanKind, Status, TraceContextExt},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    dead_letter::{self, Form, Reason, Verdict},
    metrics::{Outcome, Topic},
};
use crate::{
    contract::Envelope,
    kafka::{Producer, Settings, record::Record, unreadable::READ_ATTEMPTS},
    telemetry,
};

/// A topic's handler, independent of its message type.
pub(super) trait Subscription: Send + Sync {
    /// Returns the topic, the settings and the metrics of the handler.
    fn context(&self) -> &SubscriptionContext;

    /// Returns whether records are handled in batches: several of a partition at once, whatever their keys.
    fn batches(&self) -> bool;

    /// Handles records. Returns the offsets of those that are finished.
    fn process(
        self: Arc<Self>,
        records: Vec<Record>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Vec<i64>>;
}

/// What the handlers of a topic need.
pub(super) struct SubscriptionContext {
    pub(super) topic: &'static str,
    pub(super) group: &'static str,
    pub(super) types: &'static [&'static str],
    pub(super) settings: Settings,
    pub(super) producer: Producer,
    pub(super) metrics: Arc<Topic>,
}

impl SubscriptionContext {
    /// Returns whether the record is for this group and of a type that the handler wants. Only headers are read: a record whose
    /// headers name no type counts as wanted.
    pub(super) fn accepts(&self, record: &Record) -> bool {
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

    /// Starts the span of one event: a child of its producer's span, and linked to it.
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

    /// Starts the span of a batch of several events: a trace of its own, linked to each event's span.
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

    /// Returns whether this version knows the event's type and the handler wants it. It is for records whose headers do not name
    /// the type.
    pub(super) fn handles(&self, body: &impl Envelope) -> bool {
        body.event_type().is_some_and(|kind| self.types.contains(&kind))
    }

    pub(super) fn skipped(&self) {
        self.metrics.count(Outcome::Skipped, 1);
    }

    /// Ends the span of this many events with one outcome, and measures its duration.
    pub(super) fn end(&self, context: &Context, outcome: Outcome, events: usize, started: Instant) {
        let (attached, elapsed) = (context.clone().attach(), started.elapsed());
        self.metrics.record(outcome, events, elapsed);
        tracing::debug!(
            messaging.destination.name = self.topic,
            messaging.consumer.group.name = self.group,
            messaging.batch.message_count = events,
            duration_ms = elapsed.as_secs_f64() * 1e3,
            outcome = outcome.as_str(),
            "events processed"
        );
        drop(attached);
        // Lets queries count spans: the number of events that were measured.
        let handled = if outcome.is_measured() { events } else { 0 };
        context.span().set_attribute(KeyValue::new("mesh.handled", handled as i64));
        context.span().end();
    }

    /// Measures the time from publishing an event to having handled it.
    pub(super) fn observe_delay(&self, context: &Context, record: &Record) {
        if record.is_sent_again() {
            return;
        }
        let attached = context.clone().attach();
        self.metrics
            .delay
            .observe(record.published_at().elapsed().unwrap_or_default().as_secs_f64());
        drop(attached);
    }

    /// Makes an event a dead letter, unless this process stops or the partition moves: then the next owner does it.
    pub(super) async fn dead_letter(
        &self,
        record: &Record,
        context: &Context,
        cancel: &CancellationToken,
        cause: (Reason, &str, u32),
    ) -> Outcome {
        let (reason, error, attempts) = cause;
        let verdict = Verdict { reason, error, attempts, group: self.group, last: None };
        self.set_aside(record, &verdict, context, cancel).await
    }

    /// Sets records aside that the client cannot read, as one dead letter without content. Returns whether they are finished.
    pub(super) async fn unreadable(
        &self,
        partition: i32,
        offsets: Range<i64>,
        error: &str,
        cancel: &CancellationToken,
    ) -> bool {
        let started = Instant::now();
        let record = Record::lost(self.topic, partition, offsets.start);
        let verdict = Verdict {
            reason: Reason::Unreadable,
            error,
            attempts: READ_ATTEMPTS,
            group: self.group,
            last: Some(offsets.end - 1),
        };
        let context = self.span(&record);
        let outcome = self.set_aside(&record, &verdict, &context, cancel).await;
        self.end(&context, outcome, 1, started);
        outcome.is_final()
    }

    /// Like [`SubscriptionContext::dead_letter`], also for records of which only the position is known.
    pub(super) async fn set_aside(
        &self,
        record: &Record,
        verdict: &Verdict<'_>,
        context: &Context,
        cancel: &CancellationToken,
    ) -> Outcome {
        let Verdict { reason, error, attempts, last, .. } = *verdict;
        let span = context.span();
        span.set_status(Status::error(error.to_owned()));
        span.set_attribute(KeyValue::new("error.type", reason.as_str()));
        let sent = dead_letter::send(&self.producer, &self.settings, record, verdict, context);
        let Some(sent) = cancel.run_until_cancelled(sent).await else {
            return Outcome::Abandoned;
        };
        self.metrics.dead_letters.with_label_values(&[self.topic, reason.as_str()]).inc();
        let _attached = context.clone().attach();
        match sent {
            Ok(form) => tracing::error!(
                topic = self.topic,
                partition = record.partition,
                offset = record.offset,
                last_offset = last,
                event.id = dead_letter::cut(&record.id()),
                event.kind = record.event_type().map(dead_letter::cut),
                reason = reason.as_str(),
                attempts,
                error = dead_letter::cut(error),
                stub = form == Form::Stub,
                "an event became a dead letter"
            ),
            Err(refusal) => {
                self.metrics.letters_lost.inc();
                tracing::error!(
                    topic = self.topic,
                    partition = record.partition,
                    offset = record.offset,
                    last_offset = last,
                    event.id = dead_letter::cut(&record.id()),
                    payload.sha256 = record.payload.as_deref().map(dead_letter::sha256),
                    reason = reason.as_str(),
                    error = dead_letter::cut(error),
                    refusal = %refusal,
                    "a dead letter is refused for good and given up; the record is still at its offset"
                );
            }
        }
        Outcome::DeadLettered
    }
}

fn link(context: &Context) -> Option<Link> {
    let producer = context.span().span_context().clone();
    producer.is_valid().then(|| Link::new(producer, Vec::new(), 0))
}
