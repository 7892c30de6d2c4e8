//! What services send to lens: spans and log lines, with the process that sent them.

use std::fmt;

/// The gRPC statuses that are the server's fault; the others inform the caller.
/// <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>
pub(crate) const GRPC_FAULTS: [&str; 6] =
    ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];

/// Identifies a trace; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TraceId(u128);

impl TraceId {
    /// `None` for zero, which [W3C Trace Context](https://www.w3.org/TR/trace-context/#trace-id) forbids.
    pub(crate) fn new(id: u128) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }

    /// The 16 bytes of the wire; `None` if they are not 16, or all zero.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::new(u128::from_be_bytes(bytes.try_into().ok()?))
    }

    /// Up to 32 hexadecimal digits; leading zeros may be missing, as some Jaeger clients leave them out.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hex =
            (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        Self::new(u128::from_str_radix(text, 16).ok().filter(|_| hex)?)
    }

    pub(crate) fn get(self) -> u128 {
        self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Identifies a span in its trace; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SpanId(u64);

impl SpanId {
    pub(crate) fn new(id: u64) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }

    /// The 8 bytes of the wire; `None` if they are not 8, or all zero.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::new(u64::from_be_bytes(bytes.try_into().ok()?))
    }

    pub(crate) fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The side of a call or message that a span is on; the codes are OTLP's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    #[default]
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::Internal,
        Self::Server,
        Self::Client,
        Self::Producer,
        Self::Consumer,
    ];

    pub(crate) fn from_code(code: i32) -> Self {
        usize::try_from(code).ok().and_then(|code| Self::ALL.get(code).copied()).unwrap_or_default()
    }

    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// Jaeger's name for it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Unspecified => "",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// How a span ended; the codes are OTLP's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    #[default]
    Unset,
    Ok,
    Error,
}

impl Status {
    pub(crate) fn from_code(code: i32) -> Self {
        match code {
            1 => Self::Ok,
            2 => Self::Error,
            _ => Self::Unset,
        }
    }
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Vec<u8>),
    /// A list or a map, as JSON: no code here reads its contents.
    Json(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Json(text) => f.write_str(text),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) key: String,
    pub(crate) value: Value,
}

/// The process that sent spans or log lines: OTLP's resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Source {
    pub(crate) service: String,
    /// Without `service.name`.
    pub(crate) attributes: Vec<Attribute>,
}

/// The library that made a span: OTLP's instrumentation scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scope {
    pub(crate) name: String,
    pub(crate) version: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace: TraceId,
    pub(crate) id: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    pub(crate) status_message: String,
    pub(crate) trace_state: String,
    /// Nanoseconds since the Unix epoch.
    pub(crate) start_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<Link>,
}

impl Span {
    pub(crate) fn end_ns(&self) -> u64 {
        self.start_ns.saturating_add(self.duration_ns)
    }

    pub(crate) fn is_error(&self) -> bool {
        self.status == Status::Error
    }

    pub(crate) fn attribute(&self, key: &str) -> Option<&Value> {
        self.attributes
            .iter()
            .find(|attribute| attribute.key == key)
            .map(|attribute| &attribute.value)
    }

    /// The attribute's value, if it is a text that is not empty.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.attribute(key)? {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) at_ns: u64,
    pub(crate) name: String,
    pub(crate) attributes: Vec<Attribute>,
}

/// A related span that is not the parent, such as the sender of one record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
}

/// Spans of one process that arrived together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans {
    pub(crate) source: Source,
    pub(crate) scopes: Vec<(Scope, Vec<Span>)>,
}

/// The severity of a log line: OTLP's severity number, 0 if none was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Severity(u8);

impl Severity {
    /// The names of the severities, each with the number at which it begins.
    pub(crate) const WORDS: [(&'static str, u8); 6] =
        [("trace", 1), ("debug", 5), ("info", 9), ("warn", 13), ("error", 17), ("fatal", 21)];

    pub(crate) fn from_number(number: i32) -> Self {
        Self(u8::try_from(number).ok().filter(|number| *number <= 24).unwrap_or_default())
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map(|(_, from)| Self(*from))
    }

    pub(crate) fn number(self) -> u8 {
        self.0
    }

    pub(crate) fn label(self) -> &'static str {
        Self::WORDS
            .iter()
            .rev()
            .find(|(_, from)| *from <= self.0)
            .map_or("unspecified", |(name, _)| name)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Log {
    pub(crate) at_ns: u64,
    pub(crate) severity: Severity,
    pub(crate) body: String,
    /// What logged the line: the module, for services of the mesh.
    pub(crate) target: String,
    pub(crate) trace: Option<TraceId>,
    pub(crate) span: Option<SpanId>,
    pub(crate) attributes: Vec<Attribute>,
}

/// Log lines of one process that arrived together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logs {
    pub(crate) source: Source,
    pub(crate) lines: Vec<Log>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_read_with_or_without_its_leading_zeros() {
        let id = TraceId::parse("0000000000000000a3ce929d0e0e4736").unwrap();
        assert_eq!(TraceId::parse("a3ce929d0e0e4736"), Some(id));
        assert_eq!(id.to_string(), "0000000000000000a3ce929d0e0e4736");
        for bad in ["", "0", "xyz", "+1f", "0x1f", "a3ce929d0e0e4736a3ce929d0e0e4736a"] {
            assert_eq!(TraceId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn severities_have_the_words_people_filter_by() {
        assert_eq!(Severity::from_number(14).label(), "warn");
        assert_eq!(Severity::from_number(0).label(), "unspecified");
        assert_eq!(Severity::from_number(99).label(), "unspecified");
        assert!(Severity::from_number(17) >= Severity::parse("ERROR").unwrap());
    }
}
