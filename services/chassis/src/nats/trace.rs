//! The trace of a live message: spans as <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/> has them,
//! and headers that carry them.

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context, KeyValue, global,
    propagation::{Extractor, Injector},
    trace::{Link, SpanKind, TraceContextExt, Tracer},
};

use crate::telemetry;

pub(super) fn attributes(
    operation: &'static str,
    kind: &'static str,
    template: &'static str,
    subject: &str,
    size: usize,
) -> Vec<KeyValue> {
    vec![
        KeyValue::new("messaging.system", "nats"),
        KeyValue::new("messaging.destination.name", subject.to_owned()),
        KeyValue::new("messaging.destination.template", template),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new("messaging.operation.type", kind),
        KeyValue::new("messaging.message.body.size", i64::try_from(size).unwrap_or(i64::MAX)),
    ]
}

/// The context in which a message is handled, with its own span: the sender's span is both its parent and a link.
pub(super) fn received(message: &async_nats::Message, template: &'static str) -> Context {
    let sender = message.headers.as_ref().map_or_else(Context::new, extract);
    let tracer = telemetry::tracer();
    let span = tracer
        .span_builder(format!("process {template}"))
        .with_kind(SpanKind::Consumer)
        .with_attributes(attributes(
            "process",
            "process",
            template,
            &message.subject,
            message.payload.len(),
        ));
    let span = match sender.span().span_context() {
        origin if origin.is_valid() => span.with_links(vec![Link::with_context(origin.clone())]),
        _ => span,
    };
    let span = span.start_with_context(tracer, &sender);
    sender.with_span(span)
}

pub(super) fn inject(context: &Context) -> HeaderMap {
    let mut headers = HeaderMap::new();
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(context, &mut Carrier(&mut headers))
    });
    headers
}

fn extract(headers: &HeaderMap) -> Context {
    global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), &Carrier(headers))
    })
}

/// Headers of a NATS message, as a propagator reads and writes them.
struct Carrier<H>(H);

impl Injector for Carrier<&mut HeaderMap> {
    /// A key or value that is not valid in a header is left out; `HeaderMap::insert` of plain strings would panic.
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            self.0.insert(name, value);
        }
    }
}

impl Extractor for Carrier<&HeaderMap> {
    /// NATS keeps the case of header names, and not all senders write them in lower case.
    fn get(&self, key: &str) -> Option<&str> {
        let (_, values) =
            self.0.iter().find(|(name, _)| AsRef::<str>::as_ref(name).eq_ignore_ascii_case(key))?;
        values.first().map(HeaderValue::as_str)
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let same = |name: &HeaderName| AsRef::<str>::as_ref(name).eq_ignore_ascii_case(key);
        let lines = self.0.iter().filter(|(name, _)| same(name)).flat_map(|(_, values)| values);
        Some(lines.map(HeaderValue::as_str).collect())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_ref()).collect()
    }
}
