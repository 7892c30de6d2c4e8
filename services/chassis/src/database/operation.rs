//! The metric and the span of one transaction or read.

use opentelemetry::{
    Context, KeyValue,
    global::BoxedSpan,
    trace::{Span, SpanKind, Status, TraceContextExt, Tracer},
};
use tokio::time::Instant;

use crate::{metrics::Histogram, telemetry};

/// Measures a transaction or a read from its start to its end. One that is dropped before its end is marked as rolled back.
pub(super) struct Operation {
    started: Instant,
    duration: Histogram,
    span: Option<BoxedSpan>,
}

impl Operation {
    pub(super) fn start(name: &'static str, system: &'static str, duration: Histogram) -> Self {
        Self { started: Instant::now(), duration, span: span(name, system) }
    }

    pub(super) fn end<T, E: std::fmt::Display>(mut self, result: &Result<T, E>) {
        if let (Some(span), Err(error)) = (&mut self.span, result) {
            span.set_status(Status::error(error.to_string()));
        }
        self.finish();
    }

    fn finish(&mut self) {
        if let Some(mut span) = self.span.take() {
            span.end();
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.duration.observe(self.started.elapsed().as_secs_f64());
        if let Some(span) = &mut self.span {
            span.set_attribute(KeyValue::new("mesh.rolled_back", true));
        }
        self.finish();
    }
}

/// Starts a span, but only within a recorded trace: the service's own periodic statements would otherwise be traces of one span.
fn span(name: &'static str, system: &'static str) -> Option<BoxedSpan> {
    let parent = Context::current();
    if !parent.span().span_context().is_sampled() {
        return None;
    }
    let tracer = telemetry::tracer();
    let attributes =
        [KeyValue::new("db.system.name", system), KeyValue::new("db.operation.name", name)];
    let builder = tracer.span_builder(name).with_kind(SpanKind::Client).with_attributes(attributes);
    Some(builder.start_with_context(tracer, &parent))
}
