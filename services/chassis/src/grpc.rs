//! gRPC: every call is measured, traced and limited in time, on both sides.

mod balance;
mod call;
mod client;
mod pages;
mod port;
mod server;

use std::{fmt, future::Future, str::FromStr};

use serde::{Deserialize, Serialize, de};

pub use client::Channel;
pub(crate) use client::Metrics as ClientMetrics;
pub use pages::pages;
pub(crate) use port::Served;
pub use port::Services;
pub(crate) use server::{Edge, Metrics as ServerMetrics};

/// The address of a service: one name, which may resolve to many replicas, or several addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints(Vec<http::Uri>);

impl Endpoints {
    /// A service on this machine.
    pub fn local(port: u16) -> Self {
        Self(vec![
            http::Uri::from_str(&format!("http://127.0.0.1:{port}"))
                .expect("made of a port, and so valid"),
        ])
    }

    pub(crate) fn uris(&self) -> &[http::Uri] {
        &self.0
    }
}

impl FromStr for Endpoints {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uris: Result<Vec<_>, _> = text.split(',').map(|one| endpoint(one.trim())).collect();
        uris.map(Self)
    }
}

fn endpoint(text: &str) -> Result<http::Uri, String> {
    let expected = || format!("{text:?} is no address of a service; expected http://<host>:<port>");
    let uri = http::Uri::from_str(text).map_err(|_| expected())?;
    let complete = uri.scheme_str() == Some("http") && uri.host().is_some() && uri.port().is_some();
    if complete { Ok(uri) } else { Err(expected()) }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, uri) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{}", uri.to_string().trim_end_matches('/'))?;
        }
        Ok(())
    }
}

impl Serialize for Endpoints {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoints {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A channel to all replicas behind these endpoints, and the task that keeps the replicas up to date.
pub(crate) fn connect(
    endpoints: &Endpoints,
    metrics: ClientMetrics,
) -> (Channel, impl Future<Output = ()> + Send + use<>) {
    let (channel, keep) = balance::channel(endpoints);
    (Channel::new(channel, metrics), keep)
}

/// Whether the call is one of infrastructure. These are neither traced nor measured: telemetry about telemetry never ends.
fn is_untraced(path: &str) -> bool {
    ["/opentelemetry.proto.collector.", "/grpc.health.", "/grpc.reflection."]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// Whether the call's request is a stream: the caller continues to send while it gets answers.
fn is_bidirectional(path: &str) -> bool {
    ["/grpc.health.", "/grpc.reflection."].iter().any(|prefix| path.starts_with(prefix))
}

/// The name of a status code in the semantic conventions.
fn code_name(code: tonic::Code) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    NAMES.get(code as usize).copied().unwrap_or("UNKNOWN")
}

#[cfg(test)]
mod tests;
