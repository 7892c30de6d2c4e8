//! The subscribers of `tracing`: the layer of spans, the layer of OTLP logs, standard output, and a counter of lines.

use std::{io::IsTerminal, sync::Arc};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::{logs::SdkLoggerProvider, trace::SdkTracerProvider};
use tracing::{
    Event, Level, Metadata, Subscriber, level_filters::LevelFilter, subscriber::Interest,
};
use tracing_subscriber::{
    EnvFilter, Layer, Registry as Spans,
    filter::dynamic_filter_fn,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

use super::{
    format,
    settings::{Log, LogFormat},
};
use crate::{
    config::Sources,
    metrics::{IntCounter, Registry},
    text::allows_colours,
};

crate::metrics! {
    /// What was logged.
    struct Metrics in "mesh" {
        /// Log lines by level.
        log_lines_total: IntCounterVec["level"],
    }
}

/// The instrumentation scope of all spans and log records of this project.
pub(super) const SCOPE: &str = "glassmesh";

/// The filter of the log lines.
#[derive(Clone)]
pub struct LogLevel {
    filter: Arc<Exchange>,
}

/// Sets the directives, if new ones are given, and returns the effective ones.
type Exchange = dyn Fn(Option<&str>) -> Result<String, String> + Send + Sync;

impl LogLevel {
    /// A filter that is no subscriber's.
    #[cfg(test)]
    pub(crate) fn for_tests(
        filter: impl Fn(Option<&str>) -> Result<String, String> + Send + Sync + 'static,
    ) -> Self {
        Self { filter: Arc::new(filter) }
    }

    /// The effective directives.
    pub fn get(&self) -> String {
        (self.filter)(None).unwrap_or_default()
    }

    /// Sets other directives, e.g. `info,chassis=debug`.
    ///
    /// # Errors
    /// The directives cannot be parsed; the message names the wrong one.
    pub fn set(&self, directives: &str) -> Result<String, String> {
        (self.filter)(Some(directives))
    }
}

pub(super) fn install(
    log: &Log,
    registry: &Registry,
    tracers: Option<&SdkTracerProvider>,
    loggers: Option<&SdkLoggerProvider>,
) -> anyhow::Result<LogLevel> {
    let spans = tracers.map(|tracers| {
        tracing_opentelemetry::layer()
            .with_tracer(tracers.tracer(SCOPE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_level(false)
            .with_filter(own_spans())
    });
    let (filter, handle) = reload::Layer::new(filter(&log.filter).map_err(anyhow::Error::msg)?);
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stdout().is_terminal(),
    };
    let environment = Sources::of_process(Vec::new()).environment;
    let colours = !json && std::io::stdout().is_terminal() && allows_colours(&environment);
    let lines =
        tracing_subscriber::fmt::layer().event_format(format::Lines { json }).with_ansi(colours);
    let bridge = loggers.map(OpenTelemetryTracingBridge::new);
    let counted = Counter::register(registry)?;
    // All layers that handle log lines share one filter, so that they agree on which lines there are.
    let events = lines.and_then(bridge).and_then(counted).with_filter(filter);
    Spans::default().with(spans).with(events).try_init()?;
    Ok(LogLevel {
        filter: Arc::new(move |wanted| {
            if let Some(directives) = wanted {
                let filter = self::filter(directives)?;
                handle.reload(filter).map_err(|error| error.to_string())?;
            }
            handle.with_current(ToString::to_string).map_err(|error| error.to_string())
        }),
    })
}

/// Checks whether these directives can be parsed.
pub(super) fn check(directives: &str) -> Result<(), String> {
    filter(directives).map(drop)
}

/// Libraries log only warnings and errors, unless the directives name them.
fn filter(directives: &str) -> Result<EnvFilter, String> {
    let quiet = "h2=warn,hyper=warn,tower=warn,tonic=warn,rdkafka=warn,async_nats=warn,sqlx=warn,opentelemetry=warn,reqwest=warn";
    // Without a directive, only lines of libraries would be logged.
    if directives.split(',').all(|directive| directive.trim().is_empty()) {
        return Err("has no directives; expected some as info,chassis=debug, or off".into());
    }
    EnvFilter::try_new(format!("{quiet},{directives}")).map_err(|error| error.to_string())
}

/// Which `tracing` spans become OpenTelemetry spans: ours, at INFO and above.
///
/// The level hint and the callsite filter keep the `trace!` calls of h2 and hyper from reaching any subscriber; `sometimes`
/// instead of `always`, because two per-layer filters and a stray `enabled!` lose spans
/// (<https://github.com/tokio-rs/tracing/issues/2519>).
fn own_spans<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl tracing_subscriber::layer::Filter<S>
{
    fn ours(metadata: &Metadata<'_>) -> bool {
        const LIBRARIES: [&str; 10] = [
            "h2",
            "hyper",
            "tower",
            "tonic",
            "rdkafka",
            "async_nats",
            "sqlx",
            "opentelemetry",
            "reqwest",
            "axum",
        ];
        let source = metadata.target().split("::").next().unwrap_or_default();
        metadata.is_span()
            && *metadata.level() <= Level::INFO
            && !LIBRARIES.iter().any(|name| source.starts_with(name))
    }
    dynamic_filter_fn(|metadata, _| ours(metadata))
        .with_max_level_hint(LevelFilter::INFO)
        .with_callsite_filter(|metadata| {
            if ours(metadata) { Interest::sometimes() } else { Interest::never() }
        })
}

/// Counts log lines by level.
struct Counter {
    levels: [IntCounter; 5],
}

impl Counter {
    fn register(registry: &Registry) -> anyhow::Result<Self> {
        let metrics = Metrics::register(registry)?;
        let level = |name| metrics.log_lines_total.with_label_values(&[name]);
        Ok(Self {
            levels: [level("error"), level("warn"), level("info"), level("debug"), level("trace")],
        })
    }
}

impl<S: Subscriber> Layer<S> for Counter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let [error, warn, info, debug, trace] = &self.levels;
        match *event.metadata().level() {
            Level::ERROR => error.inc(),
            Level::WARN => warn.inc(),
            Level::INFO => info.inc(),
            Level::DEBUG => debug.inc(),
            Level::TRACE => trace.inc(),
        }
    }
}
