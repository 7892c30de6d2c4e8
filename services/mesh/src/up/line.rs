//! One line of the mesh's common log: parsed from a child's JSON, formatted for people.

use chassis::text::printable;
use serde_json::{Map, Value};

use crate::service;

/// The severity of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    pub(crate) fn read(word: &str) -> Self {
        match word {
            "error" | "fatal" => Self::Error,
            "warn" => Self::Warn,
            "info" => Self::Info,
            _ => Self::Debug,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    fn colour(self) -> u8 {
        match self {
            Self::Debug => 34,
            Self::Info => 32,
            Self::Warn => 33,
            Self::Error => 31,
        }
    }
}

/// A line of one process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Time of day, to the millisecond.
    pub(crate) time: String,
    pub(crate) process: String,
    pub(crate) level: Level,
    pub(crate) message: String,
    pub(crate) fields: Vec<(String, String)>,
    /// Whether the line is about the process itself, and not about a request or an event.
    pub(crate) lifecycle: bool,
}

/// Fields that every line has, or that are of no use beside the trace id.
const COMMON: [&str; 6] = ["time", "level", "service", "message", "target", "span_id"];

/// The targets under which the chassis logs a service's lifecycle.
const LIFECYCLE: [&str; 2] = ["chassis::app", "chassis::shutdown"];

impl Line {
    /// A line of the supervisor itself, with the present time.
    pub(crate) fn new(process: &str, level: Level, message: impl Into<String>) -> Self {
        let (process, message) = (process.to_owned(), message.into());
        Self { time: now(), process, level, message, fields: Vec::new(), lifecycle: true }
    }

    /// Parses a line of a child's standard output; text that is not JSON becomes the message.
    pub(crate) fn read(process: &str, text: &str) -> Self {
        let Ok(fields) = serde_json::from_str::<Map<String, Value>>(text) else {
            return Self::new(process, Level::Info, text);
        };
        let get = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let time = get("time").get(11..23).map_or_else(now, str::to_owned);
        let target = get("target");
        let mut rest: Vec<_> =
            fields.iter().filter(|(name, _)| !COMMON.contains(&name.as_str())).collect();
        // The trace id is the longest field and says the least, so it comes last.
        rest.sort_by_key(|(name, _)| *name == "trace_id");
        Self {
            time,
            process: process.to_owned(),
            level: Level::read(get("level")),
            message: get("message").to_owned(),
            lifecycle: LIFECYCLE.iter().any(|module| target.starts_with(module)),
            fields: rest.into_iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        }
    }

    /// Adds a field.
    pub(crate) fn field(&mut self, name: &str, value: &Value) {
        self.fields.push((name.to_owned(), plain(value)));
    }

    /// Formats the line: with colours for a terminal, without for a file.
    pub(crate) fn render(&self, colours: bool) -> String {
        let paint = |colour: u8, text: &str| {
            if colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
        };
        let process = printable(&self.process, LONGEST_NAME);
        let process = paint(colour(&self.process), &format!("{process:<WIDTH$}"));
        let level = paint(self.level.colour(), &format!("{:<5}", self.level.as_str()));
        let time = paint(DIM, &printable(&self.time, TIME));
        let message = printable(&self.message.replace('\t', " "), LONGEST_MESSAGE);
        let mut line = format!("{time} {process} {level} {message}");
        let mut left = LONGEST_FIELDS;
        for (name, value) in &self.fields {
            // Fields may contain foreign text: it must not move the cursor, look like another line, or fill the screen.
            let (name, value) = (printable(name, LONGEST_NAME), printable(value, LONGEST_VALUE));
            let Some(rest) = left.checked_sub(name.len() + value.len()) else {
                line.push_str(" …");
                break;
            };
            left = rest;
            line.push(' ');
            line.push_str(&paint(DIM, &format!("{name}=")));
            line.push_str(&value);
        }
        line
    }
}

/// The length of `12:00:01.234`.
const TIME: usize = 12;
/// Errors with all their causes are shorter. Longer text is foreign, and the telemetry has all of it.
const LONGEST_MESSAGE: usize = 2_000;
const LONGEST_NAME: usize = 64;
const LONGEST_VALUE: usize = 1_000;
/// The maximum length of all fields together.
const LONGEST_FIELDS: usize = 4_000;

/// As wide as the longest service's name.
const WIDTH: usize = 13;
const DIM: u8 = 2;

/// A fixed colour for each service, shared by its replicas.
fn colour(process: &str) -> u8 {
    const COLOURS: [u8; 8] = [96, 92, 93, 94, 95, 36, 35, 90];
    let service = process.split('.').next().unwrap_or(process);
    let index = service::ALL.iter().position(|entry| entry.name == service);
    // The supervisor itself is bold.
    index.and_then(|index| COLOURS.get(index)).copied().unwrap_or(1)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn now() -> String {
    let now = humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string();
    now.get(11..23).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACED: &str = r#"{"level":"info","message":"order placed","order.id":"o-1","lines":2,"service":"orders",
        "span_id":"1","target":"orders::orders","time":"2026-01-02T12:00:01.234Z","trace_id":"abc"}"#;

    #[test]
    fn a_line_has_time_service_and_message_and_ends_with_its_trace() {
        let line = Line::read("orders.2", PLACED);
        assert_eq!(
            line.render(false),
            "12:00:01.234 orders.2      info  order placed lines=2 order.id=o-1 trace_id=abc"
        );
        assert!(!line.lifecycle);
        assert!(line.render(true).contains("\x1b[94morders.2 "), "{:?}", line.render(true));
    }

    #[test]
    fn a_service_tells_of_its_life() {
        let text = r#"{"level":"info","message":"started","target":"chassis::app::life","time":"2026-01-02T12:00:01.234Z"}"#;
        assert!(Line::read("orders", text).lifecycle);
    }

    #[test]
    fn what_is_no_json_is_shown_as_it_is() {
        let line = Line::read("orders", "thread 'main' panicked");
        assert_eq!((line.level, line.message.as_str()), (Level::Info, "thread 'main' panicked"));
    }

    #[test]
    fn nothing_from_outside_reaches_the_terminal_as_a_command() {
        let line = Line::read(
            "orders",
            r#"{"level":"warn","message":"a\u001b[2Jb\nc","x":"\u0007\u009b"}"#,
        );
        let text = line.render(false);
        assert!(text.ends_with("warn  a\\u{1b}[2Jb\\nc x=\\u{7}\\u{9b}"), "{text}");
        let time = Line::read("orders", r#"{"time":"2026-01-02T\u001b[2J\u001b[2J\u001b[2J"}"#);
        assert!(!time.render(false).contains('\u{1b}'), "{:?}", time.render(false));
    }

    #[test]
    fn a_line_does_not_fill_the_screen() {
        let long = "x".repeat(100_000);
        let fields = (0..1_000).map(|number| (format!("f{number}"), long.clone())).collect();
        let line = Line { fields, ..Line::new("orders", Level::Warn, long) };
        let text = line.render(false);
        assert!(text.chars().count() < 8_000 && text.ends_with('…'), "{}", text.len());
    }
}
