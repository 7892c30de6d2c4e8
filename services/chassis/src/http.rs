//! HTTP: every request measured, traced and bounded in time; every error a problem document.

pub(crate) mod arrival;
mod client;
mod cors;
mod edge;
mod farewell;
mod guard;
mod json;
mod plain;
mod problem;
mod proxy;
#[cfg(test)]
mod tests;

use std::time::Duration;

use ::http::StatusCode;

pub(crate) use client::Metrics as ClientMetrics;
pub use client::{Answer, Client, base_url};
pub use edge::Edge;
pub(crate) use edge::Metrics as ServerMetrics;
pub(crate) use farewell::farewell;
pub use guard::{Guard, GuardSettings};
pub use json::{Json, Path, Query};
pub(crate) use plain::with_problems;
pub use problem::{CONTENT_TYPE as PROBLEM, FieldProblem, Problem};
pub use proxy::Proxy;

pub use crate::server::serve_router;

/// The longest that a request may take before its problem document says 504.
const LIMIT: Duration = Duration::from_secs(10);
/// With what each of them takes (some 50 KiB, its connection included), they fit into a process of 32 MiB; and who waits for an
/// answer longer than that many others is better refused.
const IN_FLIGHT: usize = 128;

/// How a router is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// Paths that begin with one of these are neither traced nor measured, and have no deadline: telemetry about telemetry
    /// never ends.
    pub machinery: Vec<String>,
    /// Paths that begin with one of these are passed on to another server, body and answer piece by piece: neither traced nor
    /// measured either, since who watches the mesh is not its load, and bounded by the [`Proxy`] itself.
    pub passed_on: Vec<String>,
    /// How many requests may be in flight, from the end of their bodies until their answers begin; more are refused with 503 at
    /// once.
    pub in_flight: usize,
    /// How long a request may take until its answer begins; streams may then go on.
    pub limit: Duration,
    /// Largest request body in bytes.
    pub body_limit: usize,
    /// Which names the port answers to, and which pages may use it; [`App::guard`](crate::App::guard) makes the service's own.
    pub guard: Option<Guard>,
    /// Answers that are known beforehand: their series exist from the start, so that the first burst of errors is an increase.
    pub answers: Vec<Known>,
}

/// An answer that is known beforehand.
#[derive(Clone, Debug)]
pub struct Known {
    /// The method, in upper case.
    pub method: &'static str,
    /// The route as the router has it.
    pub route: String,
    /// The status.
    pub status: StatusCode,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            machinery: Vec::new(),
            passed_on: Vec::new(),
            in_flight: IN_FLIGHT,
            limit: LIMIT,
            body_limit: 64 * 1024,
            guard: None,
            answers: Vec::new(),
        }
    }
}
