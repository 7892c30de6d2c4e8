//! Flows: the state of each order, read from the attributes of spans.

use std::collections::{HashMap, VecDeque};

use super::traces::Arrival;
use crate::{
    cost,
    domain::{Span, TraceId},
};

/// The maximum of flows, which is more than a user scrolls through; each takes some 300 bytes.
const MOST: usize = 4_096;

/// A longer text is not an id.
const LONGEST_ID: usize = 128;

/// The attributes from which flows are read.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The attribute with a flow's id.
    pub(crate) id: String,
    /// The attribute with its state, on the span of the change.
    pub(crate) state: String,
    /// The final states.
    pub(crate) last: Vec<String>,
}

/// One flow. It may have several traces: its own, and those of requests that read or changed it.
pub(super) struct Flow {
    /// The trace of the earliest span that names the flow.
    pub(super) trace: TraceId,
    named_ns: u64,
    pub(super) state: Option<State>,
}

#[derive(Clone)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) is_last: bool,
    /// The start of the span with the change: states are ordered by it.
    began_ns: u64,
    /// The end of that span: since then the flow is in this state.
    pub(super) since_ns: u64,
}

pub(super) struct Flows {
    rules: Rules,
    by_id: HashMap<Box<str>, Flow>,
    oldest_first: VecDeque<Box<str>>,
    /// How many of the oldest arrived at an earlier process.
    earlier: usize,
    text_bytes: usize,
    most: usize,
}

impl Flows {
    pub(super) fn new(rules: Rules, budget: usize) -> Self {
        let most = MOST.min(budget / 16 / 512);
        let (by_id, oldest_first) = (HashMap::new(), VecDeque::new());
        Self { rules, by_id, oldest_first, earlier: 0, text_bytes: 0, most }
    }

    pub(super) fn bytes(&self) -> usize {
        self.text_bytes
            + cost::table::<(Box<str>, Flow)>(self.by_id.capacity())
            + cost::allocation(self.oldest_first.capacity() * size_of::<Box<str>>())
    }

    pub(super) fn note(&mut self, span: &Span, arrival: Arrival) {
        let Some(id) = span.text(&self.rules.id) else { return };
        if id.len() > LONGEST_ID {
            return;
        }
        if !self.by_id.contains_key(id) {
            self.add(id, span, arrival);
        }
        let Some(flow) = self.by_id.get_mut(id) else { return };
        if span.start_ns < flow.named_ns {
            (flow.trace, flow.named_ns) = (span.trace, span.start_ns);
        }
        let Some(name) = span.text(&self.rules.state).filter(|name| name.len() <= LONGEST_ID)
        else {
            return;
        };
        let is_last = self.rules.last.iter().any(|last| last == name);
        if flow
            .state
            .as_ref()
            .is_none_or(|state| (state.is_last, state.began_ns) <= (is_last, span.start_ns))
        {
            let before =
                flow.state.as_ref().map_or(0, |state| cost::allocation(state.name.capacity()));
            let state = State {
                name: name.to_owned(),
                is_last,
                began_ns: span.start_ns,
                since_ns: span.end_ns(),
            };
            self.text_bytes = self.text_bytes - before + cost::allocation(state.name.capacity());
            flow.state = Some(state);
        }
    }

    fn add(&mut self, id: &str, span: &Span, arrival: Arrival) {
        while self.by_id.len() >= self.most {
            let Some(oldest) = self.oldest_first.pop_front() else { return };
            self.earlier = self.earlier.saturating_sub(1);
            if let Some(flow) = self.by_id.remove(&oldest) {
                let state = flow.state.map_or(0, |state| cost::allocation(state.name.capacity()));
                self.text_bytes -= 2 * cost::allocation(oldest.len()) + state;
            }
        }
        self.text_bytes += 2 * cost::allocation(id.len());
        if arrival == Arrival::Earlier {
            self.oldest_first.insert(self.earlier, id.into());
            self.earlier += 1;
        } else {
            self.oldest_first.push_back(id.into());
        }
        self.by_id
            .insert(id.into(), Flow { trace: span.trace, named_ns: span.start_ns, state: None });
    }

    /// The attribute with a flow's id.
    pub(super) fn id_key(&self) -> &str {
        &self.rules.id
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = (&str, &Flow)> {
        self.oldest_first.iter().rev().filter_map(|id| Some((&**id, self.by_id.get(id)?)))
    }
}
