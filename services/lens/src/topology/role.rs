//! The role of a span between services, by the [semantic conventions](https://opentelemetry.io/docs/specs/semconv/).

use crate::domain::{GRPC_FAULTS, Kind, Span, Value};

/// The kind of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum NodeKind {
    Service,
    Topic,
    Subject,
    Database,
    /// A server that sends no spans, as one of another company.
    External,
}

impl NodeKind {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Topic => "topic",
            Self::Subject => "subject",
            Self::Database => "database",
            Self::External => "external",
        }
    }
}

/// The protocol between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Grpc,
    Http,
    Kafka,
    Nats,
    Sql,
    Websocket,
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
            Self::Websocket => "websocket",
            Self::Other => "other",
        }
    }
}

/// The topic or subject of messages.
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
    /// The span answers a call.
    Server,
    /// The span makes a call; over HTTP, to a server with this name.
    Client(Protocol, Option<&'a str>),
    /// The span queries a database, which sends no spans itself: its system, and its name if it has one.
    Query(&'a str, Option<&'a str>),
    Sends(Destination<'a>),
    Handles(Destination<'a>),
    /// A page receives a live message over its WebSocket; the parent is the span with which a service delivered it.
    Pushed,
    /// The span involves no other node.
    Inner,
}

pub(super) fn role_of(span: &Span) -> Role<'_> {
    match span.kind {
        Kind::Server => Role::Server,
        Kind::Client => match span.text("db.system.name").or_else(|| span.text("db.system")) {
            Some(system) => Role::Query(system, span.text("db.namespace")),
            None => {
                let protocol = protocol_of(span);
                let is_http = protocol == Protocol::Http;
                Role::Client(protocol, span.text("server.address").filter(|_| is_http))
            }
        },
        Kind::Consumer if span.text("messaging.system") == Some("websocket") => Role::Pushed,
        Kind::Producer => destination_of(span).map_or(Role::Inner, Role::Sends),
        // Messages are received first, then handled, then settled: spans of receiving and settling are about the same messages
        // again.
        Kind::Consumer
            if matches!(span.text("messaging.operation.type"), Some("receive" | "settle")) =>
        {
            Role::Inner
        }
        // A span without effect does not count: its message was known already, left to another process, or will be handled again.
        Kind::Consumer => destination_of(span)
            .filter(|destination| destination.messages > 0)
            .map_or(Role::Inner, Role::Handles),
        Kind::Internal | Kind::Unspecified => Role::Inner,
    }
}

/// Whether the callee failed. A client's span is an error whenever the call did not succeed, also if the caller was refused with
/// good reason: that is no fault of the edge, as it is none in the metrics.
pub(super) fn is_fault(span: &Span) -> bool {
    let is_refusal = match span.attribute("http.response.status_code") {
        Some(Value::Int(status)) => (400..500).contains(status),
        _ => span
            .text("rpc.response.status_code")
            .is_some_and(|status| !GRPC_FAULTS.contains(&status)),
    };
    span.is_error() && !is_refusal
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
    // A subject's name contains ids; its template does not.
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

/// The number of messages of a span. Services of the mesh state how many they have handled, as their metrics count them. Batches
/// of other services state how many messages they have, or have a link for each.
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
