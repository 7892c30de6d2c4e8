//! HTTP: every request measured, traced and bounded in time; every error a problem document.

mod client;
mod edge;
mod json;
mod problem;
mod proxy;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use client::Metrics as ClientMetrics;
pub use client::{Answer, Client};
pub use edge::Edge;
pub(crate) use edge::Metrics as ServerMetrics;
pub use json::{Json, Path, Query};
pub use problem::{CONTENT_TYPE as PROBLEM, FieldProblem, Problem};
pub use proxy::Proxy;

/// The longest that a request may take before its problem document says 504.
const LIMIT: Duration = Duration::from_secs(10);

/// As long as a query of a month's metrics may take before who asked gives up.
const PATIENT_LIMIT: Duration = Duration::from_secs(60);

/// How a router is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// Paths that begin with one of these are neither traced nor measured: telemetry about telemetry never ends.
    pub machinery: &'static [&'static str],
    /// Paths that begin with one of these are passed on to others, whose answers may take a minute to begin.
    pub patient: Vec<String>,
    /// How long a request may take until its answer begins; streams may then go on.
    pub limit: Duration,
    /// Largest request body in bytes.
    pub body_limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { machinery: &[], patient: Vec::new(), limit: LIMIT, body_limit: 64 * 1024 }
    }
}

impl Options {
    fn limit(&self, path: &str) -> Duration {
        let patient = self.patient.iter().any(|prefix| path.starts_with(prefix));
        if patient { PATIENT_LIMIT } else { self.limit }
    }
}
