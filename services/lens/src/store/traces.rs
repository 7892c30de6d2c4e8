//! Traces in the order they arrived. When room is needed, the oldest trace is dropped as a whole.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use super::{
    codec::{Decoder, Encoder, write_number},
    interner::Interner,
    record::{self, View},
};
use crate::{
    cost,
    domain::{Span, TraceId},
};

/// One trace may take an eighth of the memory: a runaway one must not evict all others. Its further spans are counted, not kept.
const LARGEST_SHARE: usize = 8;

/// The maximum capacity that the buffer keeps: one enormous span must not leave an enormous buffer behind.
const SCRATCH: usize = 16 * 1024;

/// The maximum size of a record's encoded length.
const LENGTH: usize = 5;

/// The most bytes of a trace in a dump beside its records: id, base time, two numbers.
const HEAD: usize = 24 + 5 + LENGTH;

/// One trace: its spans' records, and the fields that a search checks first.
pub(super) struct Trace {
    pub(super) id: TraceId,
    /// The base of all times in the records: the start of the span that arrived first.
    base_ns: u64,
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    pub(super) longest_ns: u64,
    /// The bits of the services that took part.
    pub(super) services: u64,
    pub(super) spans: u32,
    pub(super) errors: u32,
    /// Spans that were not kept because the trace was too large.
    pub(super) left_out: u32,
    records: Vec<u8>,
}

impl Trace {
    fn new(first: &Span) -> Self {
        Self {
            base_ns: first.start_ns,
            first_ns: first.start_ns,
            last_ns: first.end_ns(),
            ..Self::empty(first.trace)
        }
    }

    fn empty(id: TraceId) -> Self {
        Self {
            id,
            base_ns: 0,
            first_ns: 0,
            last_ns: 0,
            longest_ns: 0,
            services: 0,
            spans: 0,
            errors: 0,
            left_out: 0,
            records: Vec::new(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        for half in [(self.id.get() >> 64) as u64, self.id.get() as u64, self.base_ns] {
            out.extend_from_slice(&half.to_le_bytes());
        }
        write_number(out, u64::from(self.left_out));
        write_number(out, self.records.len() as u64);
        out.extend_from_slice(&self.records);
    }

    fn bytes(&self) -> usize {
        cost::allocation(size_of::<Self>()) + cost::allocation(self.records.capacity())
    }

    /// Capacity grows by a quarter: a trace has some dozens of spans, and unused capacity counts against the budget.
    fn push(&mut self, record: &[u8]) {
        let needed = record.len() + LENGTH;
        if self.records.capacity() - self.records.len() < needed {
            self.records.reserve_exact(needed.max(self.records.len() / 4));
        }
        write_number(&mut self.records, record.len() as u64);
        self.records.extend_from_slice(record);
    }

    fn note(&mut self, service: u64, span: &Span) {
        self.first_ns = self.first_ns.min(span.start_ns);
        self.last_ns = self.last_ns.max(span.end_ns());
        self.longest_ns = self.longest_ns.max(span.duration_ns);
        self.services |= service;
        self.spans += 1;
        self.errors += u32::from(span.is_error());
    }

    pub(super) fn views<'a>(&'a self, interner: &'a Interner) -> impl Iterator<Item = View<'a>> {
        let mut records = Decoder::new(&self.records, interner);
        std::iter::from_fn(move || {
            if records.is_empty() {
                return None;
            }
            let length = records.number() as usize;
            Some(View::read(Decoder::new(records.take(length), interner), self.base_ns))
        })
    }
}

/// When spans arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Now: their traces are the newest.
    Now,
    /// At an earlier process: their traces are older than all that arrived at this one.
    Earlier,
}

/// All traces that are kept.
pub(super) struct Traces {
    by_id: HashMap<TraceId, Box<Trace>>,
    oldest_first: VecDeque<TraceId>,
    /// How many of the oldest arrived at an earlier process.
    earlier: usize,
    /// The number of traces that were evicted: the number of the oldest one that is kept.
    evicted: u64,
    /// The number of spans that have ever arrived.
    received: u64,
    trace_bytes: usize,
    largest: usize,
    record: Vec<u8>,
}

impl Traces {
    pub(super) fn new(budget: usize) -> Self {
        Self {
            by_id: HashMap::new(),
            oldest_first: VecDeque::new(),
            earlier: 0,
            evicted: 0,
            received: 0,
            trace_bytes: 0,
            largest: budget / LARGEST_SHARE,
            record: Vec::new(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.trace_bytes
            + cost::table::<(TraceId, Box<Trace>)>(self.by_id.capacity())
            + cost::allocation(self.oldest_first.capacity() * size_of::<TraceId>())
            + cost::allocation(self.record.capacity())
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Stores a span; returns whether it was kept. `origin` and `service` identify the process that made it.
    pub(super) fn insert(
        &mut self,
        interner: &mut Interner,
        (origin, service): (&[u8], u64),
        span: &Span,
        arrival: Arrival,
    ) -> bool {
        let trace = match self.by_id.entry(span.trace) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                if arrival == Arrival::Earlier {
                    self.oldest_first.insert(self.earlier, span.trace);
                    self.earlier += 1;
                } else {
                    self.oldest_first.push_back(span.trace);
                }
                let trace = entry.insert(Box::new(Trace::new(span)));
                self.trace_bytes += trace.bytes();
                trace
            }
        };
        self.received += 1;
        self.record.clear();
        let mut encoder =
            Encoder { out: &mut self.record, interner, trace: span.trace.get() as u64 };
        record::write(&mut encoder, origin, trace.base_ns, span);

        let before = trace.bytes();
        let fits = before + self.record.len() + LENGTH <= self.largest;
        if fits {
            trace.push(&self.record);
            trace.note(service, span);
        } else {
            trace.left_out += 1;
        }
        self.trace_bytes = self.trace_bytes + trace.bytes() - before;
        self.record.clear();
        self.record.shrink_to(SCRATCH);
        fits
    }

    /// Drops the trace that arrived first; returns its number of spans; `None` if there are no traces.
    pub(super) fn evict_oldest(&mut self) -> Option<u32> {
        let id = self.oldest_first.pop_front()?;
        self.earlier = self.earlier.saturating_sub(1);
        self.evicted += 1;
        let trace = self.by_id.remove(&id)?;
        self.trace_bytes -= trace.bytes();
        self.shrink_index();
        Some(trace.spans)
    }

    /// Shrinks an index that was large, for many small traces, and is nearly empty now: its memory is for spans again.
    fn shrink_index(&mut self) {
        let used = self.by_id.len();
        if self.by_id.capacity() > 64 + used * 4 {
            self.by_id.shrink_to(used * 2);
            self.oldest_first.shrink_to(used * 2);
        }
    }

    pub(super) fn get(&self, id: TraceId) -> Option<&Trace> {
        self.by_id.get(&id).map(|trace| &**trace)
    }

    /// The number of spans that have ever arrived.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn note_left_out(&mut self, id: TraceId, spans: u32) {
        if let Some(trace) = self.by_id.get_mut(&id) {
            trace.left_out = trace.left_out.saturating_add(spans);
        }
    }

    /// The number of the oldest of the newest traces that together have at most `most` bytes.
    pub(super) fn last_within(&self, most: usize) -> u64 {
        let mut bytes = 0;
        let fitting = self.newest_first().take_while(|trace| {
            bytes += trace.records.len() + HEAD;
            bytes <= most
        });
        self.evicted + (self.oldest_first.len() - fitting.count()) as u64
    }

    /// At most `limit` traces from number `next` on, oldest first.
    pub(super) fn from(&self, next: &mut u64, limit: usize) -> impl Iterator<Item = &Trace> {
        let first = (next.saturating_sub(self.evicted) as usize).min(self.oldest_first.len());
        let last = first.saturating_add(limit).min(self.oldest_first.len());
        *next = self.evicted + last as u64;
        self.oldest_first.range(first..last).filter_map(|id| self.get(*id))
    }

    /// Appends the traces from number `next` on, until they have `size` bytes.
    pub(super) fn copy(&self, next: &mut u64, size: usize, out: &mut Vec<u8>) {
        let mut position = next.saturating_sub(self.evicted) as usize;
        while let Some(id) = self.oldest_first.get(position).filter(|_| out.len() < size) {
            if let Some(trace) = self.get(*id) {
                trace.write(out);
            }
            position += 1;
        }
        *next = self.evicted + position as u64;
    }

    /// Reads one trace that [`Traces::copy`] wrote.
    pub(super) fn read(from: &mut Decoder<'_>) -> Option<Trace> {
        let id = u128::from(from.fixed()) << 64 | u128::from(from.fixed());
        let base_ns = from.fixed();
        let left_out = u32::try_from(from.number()).unwrap_or(u32::MAX);
        let length = from.number() as usize;
        let records = from.take(length).to_vec();
        Some(Trace { base_ns, left_out, records, ..Trace::empty(TraceId::new(id)?) })
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Trace> {
        self.oldest_first.iter().rev().filter_map(|id| self.get(*id))
    }
}
