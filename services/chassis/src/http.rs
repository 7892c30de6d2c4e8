//! HTTP: every request is measured, traced and limited in time; every error is a problem document.

mod client;
mod connection_close;
mod cors;
mod edge;
mod guard;
mod json;
mod plain;
mod problem;
mod proxy;
mod requests;
#[cfg(test)]
mod tests;
pub mod websocket;

use std::time::Duration;

use ::http::StatusCode;

pub(crate) use client::Metrics as ClientMetrics;
pub use client::{Answer, Client, base_url};
pub(crate) use connection_close::connection_close;
pub use edge::Edge;
pub(crate) use edge::Metrics as ServerMetrics;
pub use guard::{Guard, GuardSettings};
pub use json::{Json, Path, Query};
pub(crate) use plain::with_problems;
pub use problem::{CONTENT_TYPE as PROBLEM, FieldProblem, Problem};
pub use proxy::Proxy;
pub use requests::Requests;

pub use crate::server::serve_router;

/// The time limit of a request; after it the answer is a problem document with status 504.
const LIMIT: Duration = Duration::from_secs(10);
/// With the memory that each request takes (some 50 KiB, its connection included), they fit into a process of 32 MiB; it is
/// better to refuse a request than to let it wait for so many others.
const IN_FLIGHT: usize = 128;
/// A browser sends six requests at once, so five of them load a page at the same time.
const RESERVED: usize = 32;

/// How a router is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// Requests that make neither spans nor log lines: telemetry about telemetry never ends.
    pub untraced: Vec<Requests>,
    /// Requests that are not counted, since looking at the mesh is not load of the mesh.
    pub unmeasured: Vec<Requests>,
    /// Requests that may take longer than [`limit`](Self::limit): their handlers limit them.
    pub unhurried: Vec<Requests>,
    /// Requests with places in flight of their own: they are answered when all other places are taken, and take none of them.
    pub reserved: Vec<Requests>,
    /// The most of these in flight; further ones are refused as others are.
    pub reserved_in_flight: usize,
    /// Requests that are passed on to another server, with request and answer streamed. They are neither traced nor measured, and
    /// the [`Proxy`] itself limits them.
    pub passed_on: Vec<Requests>,
    /// The most requests in flight, from the end of their bodies until their answers begin; further ones are refused with 503
    /// at once.
    pub in_flight: usize,
    /// The time limit of a request until its answer begins; a stream may continue afterwards.
    pub limit: Duration,
    /// The limit of a request's body, in bytes.
    pub body_limit: usize,
    /// Which host names the port answers to, and which web pages may use it; [`App::guard`](crate::App::guard) returns the
    /// service's guard.
    pub guard: Option<Guard>,
    /// Answers that are known in advance: their series exist from the start, so that the first burst of errors is an increase.
    pub answers: Vec<Known>,
}

/// An answer that is known in advance.
#[derive(Clone, Debug)]
pub struct Known {
    /// The method, in upper case.
    pub method: &'static str,
    /// The route in the router's notation.
    pub route: String,
    /// The status.
    pub status: StatusCode,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            untraced: Vec::new(),
            unmeasured: Vec::new(),
            unhurried: Vec::new(),
            reserved: Vec::new(),
            reserved_in_flight: RESERVED,
            passed_on: Vec::new(),
            in_flight: IN_FLIGHT,
            limit: LIMIT,
            body_limit: 64 * 1024,
            guard: None,
            answers: Vec::new(),
        }
    }
}
