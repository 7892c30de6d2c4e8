//! One transaction or read, as metrics and traces see it.

use opentelemetry::{
    Context, KeyValue,
    global::BoxedSpan,
    trace::{Span, SpanKind, Status, TraceContextExt, Tracer},
};
use tokio::time::Instant;

use crate::{metrics::Histogram, telemetry};

/// Measures from its start to its end; one that is dropped before was given up.
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

/// Only within a recorded trace: what a service does for itself, every second, would be traces of one dull span each.
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
