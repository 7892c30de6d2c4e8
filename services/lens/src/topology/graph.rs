//! The nodes, the edges between them, and their traffic.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{
    role::{NodeKind, Protocol},
    series::{Calls, Observation, SLOT_SECONDS, Series},
};
use crate::cost;

/// The maximum of nodes: names come from source code, so more are a mistake, which must not take all memory.
const NODES: usize = 512;

/// A longer text is not a name.
const LONGEST_NAME: usize = 256;

/// The default time span of Jaeger's clients.
const DAY_MINUTES: u64 = 24 * 60;

/// How long dependencies are kept.
pub(super) const DEPENDENCIES_SECONDS: u64 = DAY_MINUTES * 60;

/// From, to, and the protocol.
pub(super) type Edge = (u16, u16, Protocol);

/// The graph. Each node has a number, under which its counters and edges are kept.
pub(super) struct Graph {
    numbers: HashMap<(NodeKind, Box<str>), u16>,
    names: Vec<(NodeKind, Box<str>)>,
    name_bytes: usize,
    /// The calls and messages that each service handled.
    handled: BTreeMap<u16, Series>,
    edges: BTreeMap<Edge, Series>,
    most_series: usize,
    /// Whether a node or edge was left out for want of room.
    pub(super) is_partial: bool,
    /// The calls in each minute from service to service, direct or through a broker.
    dependencies: BTreeMap<(u16, u16), VecDeque<(u64, u64)>>,
}

impl Graph {
    pub(super) fn new(budget: usize) -> Self {
        Self {
            numbers: HashMap::new(),
            names: Vec::new(),
            name_bytes: 0,
            handled: BTreeMap::new(),
            edges: BTreeMap::new(),
            most_series: budget / Series::LARGEST,
            is_partial: false,
            dependencies: BTreeMap::new(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let series = self.handled.values().chain(self.edges.values());
        let minutes = self
            .dependencies
            .values()
            .map(|minutes| cost::allocation(minutes.capacity() * size_of::<(u64, u64)>()));
        let entries = self.handled.len() + self.edges.len() + self.dependencies.len();
        // An entry of a B-tree takes up to twice its size.
        let nodes = 2 * entries * size_of::<(Edge, Series)>();
        let names = cost::table::<((NodeKind, Box<str>), u16)>(self.numbers.capacity())
            + cost::allocation(self.names.capacity() * size_of::<(NodeKind, Box<str>)>());
        self.name_bytes
            + names
            + nodes
            + series.map(Series::bytes).sum::<usize>()
            + minutes.sum::<usize>()
    }

    pub(super) fn node(&mut self, kind: NodeKind, name: &str) -> Option<u16> {
        let key = (kind, Box::from(name));
        if let Some(number) = self.numbers.get(&key) {
            return Some(*number);
        }
        if self.names.len() >= NODES || name.len() > LONGEST_NAME {
            self.is_partial = true;
            return None;
        }
        let number = self.names.len() as u16;
        self.name_bytes += 2 * cost::allocation(name.len());
        self.names.push(key.clone());
        self.numbers.insert(key, number);
        Some(number)
    }

    pub(super) fn name(&self, number: u16) -> (NodeKind, &str) {
        self.names
            .get(usize::from(number))
            .map_or((NodeKind::Service, ""), |(kind, name)| (*kind, name))
    }

    /// Counts what a service handled.
    pub(super) fn handled(&mut self, service: u16, seen: Observation) {
        if self.handled.contains_key(&service) || self.has_room(seen.at / SLOT_SECONDS) {
            self.handled.entry(service).or_default().record(seen);
        }
    }

    /// Counts traffic from one node to another.
    pub(super) fn talked(&mut self, edge: Edge, seen: Observation) {
        if self.edges.contains_key(&edge) || self.has_room(seen.at / SLOT_SECONDS) {
            self.edges.entry(edge).or_default().record(seen);
        }
    }

    /// Adds an edge without traffic.
    pub(super) fn add(&mut self, edge: Edge, slot: u64) {
        if self.has(edge) || self.has_room(slot) {
            self.edges.entry(edge).or_default();
        }
    }

    pub(super) fn has(&self, edge: Edge) -> bool {
        self.edges.contains_key(&edge)
    }

    /// Whether there is room for another series. Edges without traffic for five minutes stay, until others need their room.
    fn has_room(&mut self, slot: u64) -> bool {
        if self.handled.len() + self.edges.len() < self.most_series {
            return true;
        }
        self.forget(slot);
        self.edges.retain(|_, series| !series.is_empty());
        self.handled.retain(|_, series| !series.is_empty());
        let has_room = self.handled.len() + self.edges.len() < self.most_series;
        self.is_partial |= !has_room;
        has_room
    }

    pub(super) fn depend(&mut self, parent: u16, child: u16, minute: u64) {
        if self.dependencies.len() >= self.most_series
            && !self.dependencies.contains_key(&(parent, child))
        {
            return;
        }
        let minutes = self.dependencies.entry((parent, child)).or_default();
        match minutes.binary_search_by_key(&minute, |(minute, _)| *minute) {
            Ok(found) => minutes[found].1 += 1,
            Err(place) => minutes.insert(place, (minute, 1)),
        }
    }

    /// Drops calls older than five minutes.
    pub(super) fn forget(&mut self, slot: u64) {
        for series in self.handled.values_mut().chain(self.edges.values_mut()) {
            series.forget(slot);
        }
    }

    /// Drops dependencies older than a day.
    pub(super) fn forget_dependencies(&mut self, minute: u64) {
        for minutes in self.dependencies.values_mut() {
            while minutes.front().is_some_and(|(oldest, _)| oldest + DAY_MINUTES < minute) {
                minutes.pop_front();
            }
        }
        self.dependencies.retain(|_, minutes| !minutes.is_empty());
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = u16> {
        0..self.names.len() as u16
    }

    pub(super) fn handled_since(&self, service: u16, slot: u64) -> Option<Calls> {
        self.handled.get(&service).map(|series| series.since(slot))
    }

    pub(super) fn edges_since(&self, slot: u64) -> impl Iterator<Item = (Edge, Calls)> {
        self.edges.iter().map(move |(edge, series)| (*edge, series.since(slot)))
    }

    pub(super) fn dependencies_between(
        &self,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = (u16, u16, u64)> {
        self.dependencies.iter().map(move |((parent, child), minutes)| {
            let calls = minutes
                .iter()
                .filter(|(minute, _)| (from..=to).contains(minute))
                .map(|(_, calls)| calls)
                .sum();
            (*parent, *child, calls)
        })
    }
}
