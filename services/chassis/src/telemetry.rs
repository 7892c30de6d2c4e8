//! Traces and logs: made with OpenTelemetry and `tracing`, batched here, sent over OTLP. Every span is counted as exported or
//! dropped.
//!
//! The edges of a service (HTTP, gRPC, Kafka, NATS) use the OpenTelemetry API directly. The code inside uses `tracing` spans,
//! which become children of the edge's span because both share the current OpenTelemetry context.

mod batch;
mod exporters;
mod format;
mod forwarder;
mod kept;
mod layers;
pub mod otlp;
mod processors;
mod settings;
pub(crate) mod variables;
mod w3c;

use std::sync::OnceLock;

use opentelemetry::{
    KeyValue, global,
    global::BoxedTracer,
    trace::{FutureExt, TraceContextExt, TraceId},
};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::{
    Resource,
    logs::SdkLoggerProvider,
    trace::{Sampler, SdkTracerProvider},
};

use crate::{identity::Identity, metrics::Registry};

pub use batch::Accounts;
pub(crate) use exporters::check;
pub use forwarder::{Forwarded, Forwarder, NotForwarded};
pub use kept::Kept;
pub use layers::LogLevel;
pub use opentelemetry::Context;
pub use opentelemetry::trace::FutureExt as InContext;
pub use settings::{Log, LogFormat, Settings, Signal};

/// The telemetry of this process, until it is flushed.
pub struct Telemetry {
    batches: Vec<batch::Batches>,
    level: LogLevel,
}

impl Telemetry {
    /// Starts telemetry for this process. Call it once, within a runtime.
    ///
    /// # Errors
    /// An exporter cannot be built, the log filter cannot be read, or telemetry was started before.
    pub fn start(
        identity: Identity,
        settings: &Settings,
        log: &Log,
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        format::SERVICE.get_or_init(|| identity.name);
        propagate();
        let accounts = Accounts::register(registry)?;
        if settings.disabled {
            let level = layers::install(log, registry, None, None)?;
            return Ok(Self { batches: Vec::new(), level });
        }
        let resource = resource(identity, settings)?;
        let (spans, span_batches) =
            processors::spans(exporters::spans(settings)?, &resource, settings, &accounts);
        let tracers = SdkTracerProvider::builder()
            .with_sampler(sampler(settings))
            .with_resource(resource.clone())
            .with_span_processor(spans)
            .build();
        global::set_tracer_provider(tracers.clone());
        let (lines, line_batches) =
            processors::logs(exporters::logs(settings)?, &resource, settings, &accounts);
        let loggers =
            SdkLoggerProvider::builder().with_resource(resource).with_log_processor(lines).build();
        let level = layers::install(log, registry, Some(&tracers), Some(&loggers))?;
        Ok(Self { batches: vec![span_batches, line_batches], level })
    }

    /// The filter of the log lines, which can be changed at run time.
    pub fn log_level(&self) -> LogLevel {
        self.level.clone()
    }

    /// Sends the queued spans and log lines, and stops. What cannot be sent in time is counted as dropped.
    pub async fn flush(self) {
        futures::future::join_all(self.batches.into_iter().map(batch::Batches::finish)).await;
    }
}

fn sampler(settings: &Settings) -> Sampler {
    let ratio = Sampler::TraceIdRatioBased(settings.sample_ratio);
    if settings.parent_based { Sampler::ParentBased(Box::new(ratio)) } else { ratio }
}

/// Of two attributes of the same name the later wins: `OTEL_SERVICE_NAME` over `service.name` in the attributes, and both over
/// our own.
fn resource(identity: Identity, settings: &Settings) -> anyhow::Result<Resource> {
    let instance = uuid::Uuid::new_v4().to_string();
    let own = exporters::pairs(&settings.resource_attributes).map_err(anyhow::Error::msg)?;
    let own = own.into_iter().map(|(name, value)| KeyValue::new(name, value));
    let name = (!settings.service_name.is_empty())
        .then(|| KeyValue::new("service.name", settings.service_name.clone()));
    Ok(Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", identity.name),
            KeyValue::new("service.namespace", "glassmesh"),
            KeyValue::new("service.version", identity.version),
            KeyValue::new("service.instance.id", instance),
            KeyValue::new("process.pid", i64::from(std::process::id())),
            KeyValue::new("telemetry.sdk.language", "rust"),
            KeyValue::new("telemetry.sdk.name", "opentelemetry"),
        ])
        .with_attributes(own)
        .with_attributes(name)
        .build())
}

/// Propagates contexts in the W3C headers, over HTTP, gRPC, Kafka and NATS; for tests of the code between them.
pub fn propagate() {
    global::set_text_map_propagator(w3c::W3c::default());
}

/// The tracer for the edges.
pub(crate) fn tracer() -> &'static BoxedTracer {
    static TRACER: OnceLock<BoxedTracer> = OnceLock::new();
    TRACER.get_or_init(|| global::tracer(layers::SCOPE))
}

/// The context in a request's headers; empty if there is none.
pub(crate) fn extract(headers: &http::HeaderMap) -> Context {
    global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), &HeaderExtractor(headers))
    })
}

/// Writes a context into a request's headers.
pub(crate) fn inject(context: &Context, headers: &mut http::HeaderMap) {
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(context, &mut HeaderInjector(headers))
    });
}

/// The current span as a `traceparent`, to be written to a row and continued later; `None` outside of a trace.
pub fn traceparent() -> Option<String> {
    let mut headers = http::HeaderMap::new();
    Context::map_current(|context| inject(context, &mut headers));
    headers.get("traceparent").and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The context of a stored `traceparent`; empty if it is invalid.
/// <https://www.w3.org/TR/trace-context/#traceparent-header>
pub fn context_of(traceparent: &str) -> Context {
    let mut headers = http::HeaderMap::new();
    if let Ok(value) = http::HeaderValue::try_from(traceparent) {
        headers.insert("traceparent", value);
    }
    extract(&headers)
}

/// The trace id of a stored `traceparent`, 32 lower-case hexadecimal digits; `None` if it is invalid.
pub fn trace_id_of(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1).filter(|id| id.len() == 32)
}

/// Runs a future as part of another trace than the current one: its spans, log lines, exemplars and published messages belong
/// to that context.
pub fn in_context<F: Future>(context: &Context, future: F) -> impl Future<Output = F::Output> {
    future.with_context(context.clone())
}

/// The current trace id, 32 lower-case hexadecimal digits; `None` outside of a trace.
pub fn trace_id() -> Option<String> {
    Context::map_current(|context| {
        let id = context.span().span_context().trace_id();
        (id != TraceId::INVALID).then(|| id.to_string())
    })
}

/// Adds an attribute to the current span, whether an edge or `tracing` made it.
pub fn annotate(key: &'static str, value: impl Into<opentelemetry::Value>) {
    let value = value.into();
    Context::map_current(|context| context.span().set_attribute(KeyValue::new(key, value)));
}
