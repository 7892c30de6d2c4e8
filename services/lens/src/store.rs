//! The data of lens: traces, log lines and flows within one memory budget.
//!
//! All allocated memory counts: records, indexes with their empty slots, the dictionary, the allocator's overhead. When it
//! exceeds the budget, the oldest traces are dropped; log lines are dropped first if they have more than their share.

mod catalogue;
mod codec;
mod dump;
mod flows;
mod interner;
mod logs;
mod record;
mod search;
mod summary;
#[cfg(test)]
mod tests;
mod traces;

use parking_lot::RwLock;

use self::{
    catalogue::Catalogue,
    codec::Encoder,
    flows::{Flow, Flows},
    interner::Interner,
    logs::Lines,
    record::View,
    traces::{Arrival, Trace, Traces},
};
pub(crate) use self::{
    dump::{Loaded, Loader, Part, VERSION},
    flows::Rules,
    logs::{Found, Line, LogQuery},
    search::Search,
    summary::{Linked, Listing, Part as ServicePart, Summary},
};
use crate::domain::{Kind, Logs, Scope, Source, Span, Spans, TraceId};

/// Log lines may take a quarter of the memory; traces may use what they leave.
const LOGS_SHARE: usize = 4;

/// The dictionary may take a sixteenth; a hundredth is enough for the names and repeated values of a mesh of some dozen services.
const WORDS_SHARE: usize = 16;

/// Everything that lens keeps, but for the topology and the scraped metrics.
pub(crate) struct Store {
    memory: RwLock<Memory>,
}

struct Memory {
    budget: usize,
    /// The bytes of the budget that other parts of lens use.
    reserved: usize,
    interner: Interner,
    catalogue: Catalogue,
    traces: Traces,
    lines: Lines,
    flows: Flows,
}

/// The result of storing spans or log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) kept: u64,
    /// Spans that were refused because their trace is too large already.
    pub(crate) left_out: u64,
    pub(crate) evicted_spans: u64,
    pub(crate) evicted_lines: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) bytes: usize,
    pub(crate) limit: usize,
    pub(crate) traces: usize,
    pub(crate) lines: usize,
}

/// A trace that was found, its spans by start.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundTrace {
    pub(crate) id: TraceId,
    pub(crate) spans: Vec<FoundSpan>,
    pub(crate) sources: Vec<Source>,
    pub(crate) left_out: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundSpan {
    pub(crate) span: Span,
    pub(crate) scope: Scope,
    /// The index in [`FoundTrace::sources`].
    pub(crate) source: usize,
}

/// The state of one flow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundFlow {
    pub(crate) id: String,
    pub(crate) trace: TraceId,
    pub(crate) state: String,
    pub(crate) started_ns: u64,
    /// The time until its final state; `None` while it is not final.
    pub(crate) duration_ns: Option<u64>,
    pub(crate) spans: u32,
    pub(crate) errors: u32,
    pub(crate) services: Vec<String>,
}

impl Store {
    pub(crate) fn new(budget: usize, rules: Rules) -> Self {
        let memory = Memory {
            budget,
            reserved: 0,
            interner: Interner::new(budget / WORDS_SHARE),
            catalogue: Catalogue::default(),
            traces: Traces::new(budget),
            lines: Lines::default(),
            flows: Flows::new(rules, budget),
        };
        Self { memory: RwLock::new(memory) }
    }

    pub(crate) fn take_spans(&self, spans: &Spans) -> Taken {
        self.take(spans, Arrival::Now)
    }

    /// Stores spans that arrived at an earlier process, as older than all that arrived at this one.
    pub(crate) fn restore_spans(&self, spans: &Spans) -> Taken {
        self.take(spans, Arrival::Earlier)
    }

    fn take(&self, spans: &Spans, arrival: Arrival) -> Taken {
        let mut memory = self.memory.write();
        let mut taken = Taken::default();
        for (scope, spans_of_scope) in &spans.scopes {
            let origin = memory.origin(&spans.source, scope);
            for span in spans_of_scope {
                memory.take_span(&spans.source.service, &origin, span, arrival, &mut taken);
                memory.keep_within(&mut taken);
            }
        }
        taken
    }

    pub(crate) fn take_logs(&self, logs: &Logs) -> Taken {
        let mut memory = self.memory.write();
        let mut taken = Taken::default();
        for log in &logs.lines {
            let Memory { interner, lines, .. } = &mut *memory;
            lines.insert(interner, &logs.source.service, log);
            taken.kept += 1;
            memory.keep_within(&mut taken);
        }
        taken
    }

    /// Sets the bytes of the budget that other parts use.
    pub(crate) fn reserve(&self, bytes: usize) -> Taken {
        let mut memory = self.memory.write();
        let mut taken = Taken::default();
        memory.reserved = bytes;
        memory.keep_within(&mut taken);
        taken
    }

    pub(crate) fn usage(&self) -> Usage {
        let memory = self.memory.read();
        Usage {
            bytes: memory.used(),
            limit: memory.budget,
            traces: memory.traces.len(),
            lines: memory.lines.len(),
        }
    }

    pub(crate) fn services(&self) -> Vec<String> {
        self.memory.read().catalogue.services().map(str::to_owned).collect()
    }

    /// The operations of a service by name and kind, or those of one kind.
    pub(crate) fn operations(&self, service: &str, kind: Option<Kind>) -> Vec<(String, Kind)> {
        let memory = self.memory.read();
        memory
            .catalogue
            .operations(service, kind)
            .into_iter()
            .map(|(name, kind)| (name.to_owned(), kind))
            .collect()
    }

    pub(crate) fn trace(&self, id: TraceId) -> Option<FoundTrace> {
        let memory = self.memory.read();
        Some(found(memory.traces.get(id)?, &memory.interner))
    }

    /// At most `limit` traces from number `next` on, in the order they arrived; `next` is then the number of the one after them.
    pub(crate) fn traces_from(&self, next: &mut u64, limit: usize) -> Vec<FoundTrace> {
        let memory = self.memory.read();
        memory.traces.from(next, limit).map(|trace| found(trace, &memory.interner)).collect()
    }

    pub(crate) fn has_trace(&self, id: TraceId) -> bool {
        self.memory.read().traces.get(id).is_some()
    }

    /// The newest traces that match, newest first.
    pub(crate) fn search(&self, search: &Search) -> Vec<TraceId> {
        let memory = self.memory.read();
        let found = memory.traces.newest_first().filter(|trace| memory.is_found(search, trace));
        found.take(search.limit).map(|trace| trace.id).collect()
    }

    /// The last log lines that match, newest last; or the next ones that have arrived since a position.
    pub(crate) fn lines(&self, wanted: &LogQuery) -> Found {
        let memory = self.memory.read();
        memory.lines.find(&memory.interner, wanted)
    }

    /// The flows whose trace is still kept, newest first; or those in one state.
    pub(crate) fn flows(&self, state: Option<&str>, limit: usize) -> Vec<FoundFlow> {
        let memory = self.memory.read();
        let all = memory.flows.newest_first().filter_map(|(id, flow)| memory.flow(id, flow));
        all.filter(|flow| state.is_none_or(|state| state == flow.state)).take(limit).collect()
    }
}

impl Memory {
    fn used(&self) -> usize {
        self.reserved
            + self.interner.bytes()
            + self.catalogue.bytes()
            + self.traces.bytes()
            + self.lines.bytes()
            + self.flows.bytes()
    }

    fn origin(&mut self, source: &Source, scope: &Scope) -> Vec<u8> {
        let mut origin = Vec::new();
        record::write_origin(
            &mut Encoder { out: &mut origin, interner: &mut self.interner, trace: 0 },
            source,
            scope,
        );
        origin
    }

    fn take_span(
        &mut self,
        service: &str,
        origin: &[u8],
        span: &Span,
        arrival: Arrival,
        taken: &mut Taken,
    ) {
        let bit = self.catalogue.note(service, &span.name, span.kind);
        if self.traces.insert(&mut self.interner, (origin, bit), span, arrival) {
            taken.kept += 1;
            self.flows.note(span, arrival);
        } else {
            taken.left_out += 1;
        }
    }

    fn keep_within(&mut self, taken: &mut Taken) {
        while self.lines.bytes() > self.budget / LOGS_SHARE {
            let Some(lines) = self.lines.evict_oldest() else { break };
            taken.evicted_lines += u64::from(lines);
        }
        while self.used() > self.budget {
            let Some(spans) = self.traces.evict_oldest() else { break };
            taken.evicted_spans += u64::from(spans);
        }
        // Even without traces it may be too much, if other parts use nearly the whole budget.
        while self.used() > self.budget {
            let Some(lines) = self.lines.evict_oldest() else { break };
            taken.evicted_lines += u64::from(lines);
        }
    }

    fn is_found(&self, search: &Search, trace: &Trace) -> bool {
        let service = search.service.as_deref();
        let bit = service.map_or(0, |service| self.catalogue.bit(service));
        search.may_be_in(trace, bit) && trace.views(&self.interner).any(|span| search.means(&span))
    }

    fn flow(&self, id: &str, flow: &Flow) -> Option<FoundFlow> {
        let state = flow.state.as_ref()?;
        let trace = self.traces.get(flow.trace)?;
        Some(FoundFlow {
            id: id.to_owned(),
            trace: trace.id,
            state: state.name.clone(),
            started_ns: trace.first_ns,
            duration_ns: state.is_last.then(|| state.since_ns.saturating_sub(trace.first_ns)),
            spans: trace.spans,
            errors: trace.errors,
            services: self.catalogue.services_of(trace.services).map(str::to_owned).collect(),
        })
    }
}

/// Decodes a trace. A span that was exported twice, because its exporter did not receive the answer, occurs once.
fn found(trace: &Trace, interner: &Interner) -> FoundTrace {
    let mut sources: Vec<View<'_>> = Vec::new();
    let mut spans: Vec<FoundSpan> = Vec::new();
    for view in trace.views(interner) {
        let source =
            sources.iter().position(|known| known.is_of_same_source(&view)).unwrap_or_else(|| {
                sources.push(view);
                sources.len() - 1
            });
        spans.extend(view.span(trace.id).map(|span| FoundSpan {
            span,
            scope: view.scope(),
            source,
        }));
    }
    spans.sort_by_key(|found| (found.span.start_ns, found.span.id));
    spans.dedup();
    FoundTrace {
        id: trace.id,
        spans,
        sources: sources.iter().map(View::source).collect(),
        left_out: trace.left_out,
    }
}
