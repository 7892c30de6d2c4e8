//! One call to NATS: its span, headers and duration.

use async_nats::HeaderMap;
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanKind, Status, TraceContextExt, Tracer},
};
use tokio::time::Instant;

use super::trace;
use crate::{Error, Kind, messaging, telemetry};

/// The call is measured when this is dropped; without a result it counts as cancelled.
pub(super) struct Call<'a> {
    context: Context,
    durations: &'a messaging::Metrics,
    template: &'static str,
    operation: &'static str,
    outcome: &'static str,
    started: Instant,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        kind: SpanKind,
        operation: &'static str,
        template: &'static str,
        subject: &str,
        size: usize,
        durations: &'a messaging::Metrics,
    ) -> Self {
        let tracer = telemetry::tracer();
        let parent = Context::current();
        let span = tracer
            .span_builder(format!("{operation} {template}"))
            .with_kind(kind)
            .with_attributes(trace::attributes(operation, "send", template, subject, size))
            .start_with_context(tracer, &parent);
        let outcome = Kind::Cancelled.label();
        Self {
            context: parent.with_span(span),
            durations,
            template,
            operation,
            outcome,
            started: Instant::now(),
        }
    }

    /// The headers that carry the trace to the subscriber.
    pub(super) fn headers(&self) -> HeaderMap {
        trace::inject(&self.context)
    }

    pub(super) fn ended<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        match &result {
            Ok(_) => self.outcome = "ok",
            Err(error) => {
                self.outcome = error.kind().label();
                self.context.span().set_attribute(KeyValue::new("error.type", self.outcome));
                self.context.span().set_status(Status::error(error.message().to_owned()));
            }
        }
        result
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.context.span().end();
        // The context must be current for the exemplar.
        let _current = self.context.clone().attach();
        let durations = &self.durations.messaging_client_operation_duration_seconds;
        durations
            .with(&[self.template, self.operation, self.outcome])
            .observe(self.started.elapsed().as_secs_f64());
    }
}
