//! What part a span plays between services, read from the [semantic conventions](https://opentelemetry.io/docs/specs/semconv/).

use crate::domain::{Kind, Span, Value};

/// What a node of the picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum NodeKind {
    Service,
    Topic,
    Subject,
    Database,
}

impl NodeKind {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Topic => "topic",
            Self::Subject => "subject",
            Self::Database => "database",
        }
    }
}

/// How two nodes talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Grpc,
    Http,
    Kafka,
    Nats,
    Sql,
    Other,
}

impl Protocol {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::Kafka => "kafka",
            Self::Nats => "nats",
            Self::Sql => "sql",
            Self::Other => "other",
        }
    }
}

/// Where messages go to, or come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Destination<'a> {
    pub(super) kind: NodeKind,
    pub(super) name: &'a str,
    pub(super) protocol: Protocol,
    /// How many messages the span is about.
    pub(super) messages: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role<'a> {
    /// Answers a call.
    Server,
    /// Makes a call.
    Client(Protocol),
    /// Asks a database, which sends no spans: its system, and its name if it has one.
    Query(&'a str, Option<&'a str>),
    Sends(Destination<'a>),
    Handles(Destination<'a>),
    /// Nothing anybody else takes part in.
    Inner,
}

pub(super) fn role_of(span: &Span) -> Role<'_> {
    match span.kind {
        Kind::Server => Role::Server,
        Kind::Client => match span.text("db.system.name").or_else(|| span.text("db.system")) {
            Some(system) => Role::Query(system, span.text("db.namespace")),
            None => Role::Client(protocol_of(span)),
        },
        Kind::Producer => destination_of(span).map_or(Role::Inner, Role::Sends),
        // What is received is handled afterwards, and settled after that: the same messages once more.
        Kind::Consumer
            if matches!(span.text("messaging.operation.type"), Some("receive" | "settle")) =>
        {
            Role::Inner
        }
        // One that had no effect is no handling: it was known already, left to another process, or is handled once more.
        Kind::Consumer => destination_of(span)
            .filter(|destination| destination.messages > 0)
            .map_or(Role::Inner, Role::Handles),
        Kind::Internal | Kind::Unspecified => Role::Inner,
    }
}

fn protocol_of(span: &Span) -> Protocol {
    if span.text("rpc.system.name").or_else(|| span.text("rpc.system")) == Some("grpc") {
        Protocol::Grpc
    } else if span.attribute("http.request.method").is_some() {
        Protocol::Http
    } else {
        Protocol::Other
    }
}

fn destination_of(span: &Span) -> Option<Destination<'_>> {
    // A subject has ids in its name: its template is what stays the same.
    let name = span
        .text("messaging.destination.template")
        .or_else(|| span.text("messaging.destination.name"))?;
    let (kind, protocol) = match span.text("messaging.system") {
        Some("nats") => (NodeKind::Subject, Protocol::Nats),
        Some("kafka") => (NodeKind::Topic, Protocol::Kafka),
        _ => (NodeKind::Topic, Protocol::Other),
    };
    Some(Destination { kind, name, protocol, messages: messages_of(span) })
}

/// Services of the mesh say how many they have handled, as they count it. Others' batches say how many they have, or have a link
/// for each.
fn messages_of(span: &Span) -> u32 {
    if let Some(Value::Int(handled)) = span.attribute("mesh.handled") {
        return u32::try_from(*handled).unwrap_or_default().min(LARGEST_BATCH);
    }
    let stated = match span.attribute("messaging.batch.message_count") {
        Some(Value::Int(count)) => u32::try_from(*count).ok(),
        _ => None,
    };
    stated.unwrap_or(span.links.len() as u32).clamp(1, LARGEST_BATCH)
}

const LARGEST_BATCH: u32 = 100_000;
