//! The format of a log line: one JSON object, or one line for people. Both contain the trace id.

use std::{
    fmt::{self, Debug},
    sync::OnceLock,
    time::SystemTime,
};

use opentelemetry::{Context, trace::TraceContextExt};
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::text::{printable, printable_json};

/// The name of this process' service, once telemetry was started.
pub(super) static SERVICE: OnceLock<&str> = OnceLock::new();

/// Returns the name for log lines.
fn service() -> &'static str {
    SERVICE.get().copied().unwrap_or("mesh")
}

/// Writes log lines.
pub(super) struct Lines {
    /// One JSON object a line, or one line for people.
    pub(super) json: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if self.json { json(writer, event, fields) } else { pretty(writer, event, &fields) }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (name, value) => {
                self.rest.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut causes = vec![value.to_string()];
        let mut cause = value.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        self.put(field, causes.join(": ").into());
    }
}

/// The trace and span ids of the current span, if there is one.
fn ids() -> Option<(String, String)> {
    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        span.is_valid().then(|| (span.trace_id().to_string(), span.span_id().to_string()))
    })
}

fn json(mut writer: Writer<'_>, event: &Event<'_>, fields: Fields) -> fmt::Result {
    let mut line = Map::new();
    line.insert(
        "time".into(),
        humantime::format_rfc3339_millis(SystemTime::now()).to_string().into(),
    );
    line.insert("level".into(), event.metadata().level().as_str().to_lowercase().into());
    line.insert("service".into(), service().into());
    line.insert("message".into(), fields.message.into());
    if let Some((trace_id, span_id)) = ids() {
        line.insert("trace_id".into(), trace_id.into());
        line.insert("span_id".into(), span_id.into());
    }
    line.insert("target".into(), event.metadata().target().into());
    line.extend(fields.rest);
    writeln!(writer, "{}", printable_json(Value::Object(line).to_string()))
}

fn pretty(mut writer: Writer<'_>, event: &Event<'_>, fields: &Fields) -> fmt::Result {
    let (word, colour) = match *event.metadata().level() {
        Level::ERROR => ("error", 31),
        Level::WARN => ("warn", 33),
        Level::INFO => ("info", 32),
        Level::DEBUG => ("debug", 34),
        Level::TRACE => ("trace", 35),
    };
    let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    // On a terminal, the time of day is enough.
    let time = time.get(11..23).unwrap_or_default();
    let colours = writer.has_ansi_escapes();
    let paint = |colour: u8, text: &str| {
        if colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    };
    let (time, word) = (paint(DIM, time), paint(colour, &format!("{word:<5}")));
    let message = printable(&fields.message, LONGEST);
    write!(writer, "{time} {word} {:<13} {message}", service())?;
    for (name, value) in &fields.rest {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        write!(writer, " {}{}", paint(DIM, &format!("{name}=")), printable(&text, LONGEST))?;
    }
    if let Some((trace_id, _)) = ids() {
        write!(writer, " {}", paint(DIM, &format!("trace_id={trace_id}")))?;
    }
    writeln!(writer)
}

/// The style of the less important parts.
const DIM: u8 = 2;
/// The most characters of a text from outside; more would not help the reader of a terminal.
const LONGEST: usize = 2_000;
