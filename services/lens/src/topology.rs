//! Which service talks to which, updated with every span that arrives: a query reads counters, not traces.
//!
//! A call becomes an edge from service to service once both its spans have arrived. A message is two edges, to its topic and from
//! it, and each span shows one of them; the parent, or the links, of the span that handled it show which services depend on each
//! other through the broker. A server that is called over HTTP and sends no span of it becomes a node once the first call has waited
//! for its other side in vain. Times are times of arrival, so the clocks of several processes need not agree; only spans that arrive
//! late, as those of an earlier run, count at the time at which they ended.

mod graph;
mod histogram;
mod pairing;
mod role;
mod series;
#[cfg(test)]
mod tests;

use std::time::Duration;

use parking_lot::Mutex;

use self::{
    graph::{DEPENDENCIES_SECONDS, Graph},
    pairing::{Callee, Caller, Pairing},
    role::{Role, is_fault, role_of},
    series::{Observation, SLOT_SECONDS, SLOTS},
};
pub(crate) use self::{
    role::{NodeKind, Protocol},
    series::Calls,
};
use crate::domain::{Span, SpanId, Spans, TraceId};

/// The counters may take an eighth of the memory: at the default 40 MiB, some hundred and thirty busy edges; the mesh has fifty.
const GRAPH_SHARE: usize = 8;

/// Spans that wait for the other side may take a sixteenth: enough for ten seconds at 200 orders a second.
const PAIRING_SHARE: usize = 16;

/// The longest window of a query.
pub(crate) const LONGEST_WINDOW: Duration = Duration::from_secs(SLOT_SECONDS * SLOTS);

/// The topology, built from spans.
pub(crate) struct Topology {
    state: Mutex<State>,
}

/// A span that ended longer ago than this when it arrives is from an earlier run, or waited for lens: exporters take a second or
/// two, and clocks on which processes can work together differ less.
const LATE_SECONDS: u64 = 30;

/// When a span counts.
#[derive(Clone, Copy)]
struct Times {
    /// The time at which it is counted.
    at: u64,
    /// The time of its arrival.
    now: u64,
}

/// The second in which a span that arrived at `now` is counted.
fn time_of(span: &Span, now: u64) -> u64 {
    let ended = span.end_ns() / 1_000_000_000;
    if ended + LATE_SECONDS < now { ended } else { now }
}

struct State {
    graph: Graph,
    pairing: Pairing,
    since: Option<u64>,
    swept: u64,
}

/// The topology over one window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
    /// The seconds that rates are over: the window, or the time since the first spans if that is shorter.
    pub(crate) seconds: u64,
    /// Whether some nodes or edges are missing because the memory is full.
    pub(crate) is_partial: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) name: String,
    /// The calls that a service handled; for any other node, the calls and messages sent to it.
    pub(crate) calls: Calls,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Edge {
    /// Indexes in [`Snapshot::nodes`].
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) protocol: Protocol,
    pub(crate) calls: Calls,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dependency {
    pub(crate) parent: String,
    pub(crate) child: String,
    pub(crate) calls: u64,
}

impl Topology {
    pub(crate) fn new(budget: usize) -> Self {
        let graph = Graph::new(budget / GRAPH_SHARE);
        let pairing = Pairing::new(budget / PAIRING_SHARE);
        Self { state: Mutex::new(State { graph, pairing, since: None, swept: 0 }) }
    }

    /// The bytes that it uses now.
    pub(crate) fn bytes(&self) -> usize {
        let state = self.state.lock();
        state.graph.bytes() + state.pairing.bytes()
    }

    /// Adds spans that arrived at `now` (since the Unix epoch).
    pub(crate) fn observe(&self, spans: &Spans, now: Duration) {
        let now = now.as_secs();
        let mut state = self.state.lock();
        state.sweep(now);
        let Some(service) = state.graph.node(NodeKind::Service, &spans.source.service) else {
            return;
        };
        for span in spans.scopes.iter().flat_map(|(_, spans)| spans) {
            state.observe(service, span, Times { at: time_of(span, now), now });
        }
    }

    /// The topology over the last `window`.
    pub(crate) fn snapshot(&self, window: Duration, now: Duration) -> Snapshot {
        let now = now.as_secs();
        let state = self.state.lock();
        let from = now.saturating_sub(window.as_secs()).div_ceil(SLOT_SECONDS);
        let begin = state.since.unwrap_or(now).max(from * SLOT_SECONDS);
        let mut nodes: Vec<Node> =
            state.graph.nodes().map(|number| state.node(number, from)).collect();
        let mut edges = Vec::new();
        for ((from, to, protocol), calls) in state.graph.edges_since(from) {
            let (from, to) = (usize::from(from), usize::from(to));
            if nodes[to].kind != NodeKind::Service {
                nodes[to].calls.calls += calls.calls;
                nodes[to].calls.errors += calls.errors;
            }
            edges.push(Edge { from, to, protocol, calls });
        }
        let seconds = now.saturating_sub(begin).max(1);
        Snapshot { nodes, edges, seconds, is_partial: state.graph.is_partial }
    }

    /// The calls between services in the `lookback` before `end` (since the Unix epoch).
    pub(crate) fn dependencies(&self, end: Duration, lookback: Duration) -> Vec<Dependency> {
        let state = self.state.lock();
        let (from, to) = (end.saturating_sub(lookback).as_secs() / 60, end.as_secs() / 60);
        let name = |number| state.graph.name(number).1.to_owned();
        let all = state.graph.dependencies_between(from, to).filter(|(_, _, calls)| *calls > 0);
        let mut all: Vec<_> = all
            .map(|(parent, child, calls)| Dependency {
                parent: name(parent),
                child: name(child),
                calls,
            })
            .collect();
        all.sort();
        all
    }
}

impl State {
    /// Drops what is too old; at most once per slot.
    fn sweep(&mut self, now: u64) {
        if now / SLOT_SECONDS == self.swept {
            return;
        }
        self.swept = now / SLOT_SECONDS;
        self.graph.forget(self.swept);
        self.graph.forget_dependencies(now / 60);
        for caller in self.pairing.forget(now) {
            if let Some(server) = caller.server {
                self.graph.add((caller.service, server, caller.protocol), self.swept);
            }
        }
    }

    fn node(&self, number: u16, from: u64) -> Node {
        let (kind, name) = self.graph.name(number);
        let calls = self.graph.handled_since(number, from).unwrap_or_default();
        Node { kind, name: name.to_owned(), calls }
    }

    fn observe(&mut self, service: u16, span: &Span, times: Times) {
        if times.at + DEPENDENCIES_SECONDS < times.now {
            return;
        }
        self.since = Some(self.since.unwrap_or(times.at).min(times.at));
        let seen = Observation {
            at: times.at,
            duration_us: span.duration_ns / 1_000,
            is_error: is_fault(span),
            times: 1,
        };
        let caller = |protocol, is_message| {
            let Observation { duration_us, is_error, .. } = seen;
            Caller { service, protocol, duration_us, is_error, is_message, server: None }
        };
        match role_of(span) {
            Role::Inner => {}
            Role::Server => {
                self.graph.handled(service, seen);
                self.follows(service, span, span.parent.map(|parent| (span.trace, parent)), times);
            }
            Role::Client(protocol, server) => {
                let server = self.called(service, protocol, server, seen);
                self.precedes(span, Caller { server, ..caller(protocol, false) }, times);
            }
            Role::Query(system, name) => self.asked(service, system, name, seen),
            Role::Sends(to) => {
                if let Some(node) = self.graph.node(to.kind, to.name) {
                    self.graph.talked(
                        (service, node, to.protocol),
                        Observation { times: to.messages, ..seen },
                    );
                }
                self.precedes(span, caller(to.protocol, true), times);
            }
            Role::Handles(from) => {
                let seen = Observation { times: from.messages, ..seen };
                self.graph.handled(service, seen);
                if let Some(node) = self.graph.node(from.kind, from.name) {
                    self.graph.talked((node, service, from.protocol), seen);
                }
                self.follows(service, span, senders_of(span), times);
                // Who handles a live message may deliver it to pages.
                if from.protocol == Protocol::Nats {
                    self.precedes(span, caller(Protocol::Websocket, true), times);
                }
            }
            Role::Pushed => {
                self.graph.handled(service, seen);
                self.follows(service, span, span.parent.map(|parent| (span.trace, parent)), times);
            }
        }
    }

    /// Adds a query. A database without a name belongs to its service alone: two services with SQLite have two.
    fn asked(&mut self, service: u16, system: &str, name: Option<&str>, seen: Observation) {
        let own = || format!("{} ({system})", self.graph.name(service).1);
        let name = name.map_or_else(own, str::to_owned);
        if let Some(database) = self.graph.node(NodeKind::Database, &name) {
            self.graph.talked((service, database, Protocol::Sql), seen);
        }
    }

    /// Counts a call to a server that is known to send no spans; returns the server's node.
    fn called(
        &mut self,
        service: u16,
        protocol: Protocol,
        server: Option<&str>,
        seen: Observation,
    ) -> Option<u16> {
        let server = self.graph.node(NodeKind::External, server?)?;
        let edge = (service, server, protocol);
        if self.graph.has(edge) {
            self.graph.talked(edge, seen);
        }
        Some(server)
    }

    /// The span may have children in other services: pairs it with those that have arrived.
    fn precedes(&mut self, span: &Span, caller: Caller, times: Times) {
        for callee in self.pairing.caller(span.trace, span.id, caller, times.now) {
            self.met(caller, callee, times.at);
        }
    }

    /// Spans of other services caused this span: pairs it with those that have arrived.
    fn follows(
        &mut self,
        service: u16,
        span: &Span,
        causes: impl IntoIterator<Item = (TraceId, SpanId)>,
        times: Times,
    ) {
        let callee = Callee { service, is_error: is_fault(span) };
        for (trace, cause) in causes {
            if let Some(caller) = self.pairing.callee(trace, cause, callee, times.now) {
                self.met(caller, callee, times.at);
            }
        }
    }

    /// Adds a call whose two spans have arrived. Its duration is the caller's. A message has two edges of its own, to its topic and
    /// from it, unless it goes to a page directly.
    fn met(&mut self, caller: Caller, callee: Callee, at: u64) {
        self.graph.depend(caller.service, callee.service, at / 60);
        if !caller.is_message || caller.protocol == Protocol::Websocket {
            let is_error = caller.is_error || callee.is_error;
            let seen = Observation { at, duration_us: caller.duration_us, is_error, times: 1 };
            self.graph.talked((caller.service, callee.service, caller.protocol), seen);
        }
    }
}

/// The spans that sent the messages of this span: the parent, which may also be a link, and all other links, as in a batch.
fn senders_of(span: &Span) -> impl Iterator<Item = (TraceId, SpanId)> {
    let parent = span.parent.map(|parent| (span.trace, parent));
    let links = span
        .links
        .iter()
        .map(|link| (link.trace, link.span))
        .filter(move |link| Some(*link) != parent);
    parent.into_iter().chain(links)
}
