//! Log lines in the order they arrived, in segments: the oldest segment is dropped when room is needed.

use std::collections::VecDeque;

use super::{
    codec::{Decoder, Encoder, write_number},
    interner::Interner,
};
use crate::{
    cost,
    domain::{Log, Severity, SpanId, TraceId},
};

/// Some two hundred lines: small compared with the logs' share, large compared with a segment's overhead.
const SEGMENT: usize = 32 * 1024;

/// Consecutive lines, in the order they arrived.
struct Segment {
    records: Vec<u8>,
    /// The number of its first line.
    first: u64,
    lines: u32,
}

impl Segment {
    fn bytes(&self) -> usize {
        cost::allocation(self.records.capacity())
    }
}

/// All log lines that are kept.
#[derive(Default)]
pub(super) struct Lines {
    segments: VecDeque<Segment>,
    record_bytes: usize,
    lines: usize,
    /// The number of lines that have ever arrived: the number of the next one.
    next: u64,
    record: Vec<u8>,
}

/// A query for log lines; every field that is set must match.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogQuery {
    pub(crate) trace: Option<TraceId>,
    pub(crate) service: Option<String>,
    /// The lowest severity.
    pub(crate) severity: Option<Severity>,
    /// The earliest time, in nanoseconds since the Unix epoch.
    pub(crate) since_ns: Option<u64>,
    /// Only lines that arrived since [`Found::next`] of an earlier answer, oldest first, so that a client that follows misses
    /// none.
    pub(crate) from: Option<u64>,
    pub(crate) limit: usize,
}

/// The result of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// Sorted by time, newest last.
    pub(crate) lines: Vec<Line>,
    /// The position from which a client goes on.
    pub(crate) next: u64,
}

/// A line that was found, with the service that wrote it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) service: String,
    pub(crate) log: Log,
}

impl Lines {
    pub(super) fn bytes(&self) -> usize {
        self.record_bytes
            + cost::allocation(self.segments.capacity() * size_of::<Segment>())
            + cost::allocation(self.record.capacity())
    }

    pub(super) fn len(&self) -> usize {
        self.lines
    }

    /// The number of lines that have ever arrived.
    pub(super) fn received(&self) -> u64 {
        self.next
    }

    /// The number of the first line of the newest segments that together have at most `most` bytes, and their bytes.
    pub(super) fn last_within(&self, most: usize) -> (u64, usize) {
        let (mut first, mut bytes) = (self.next, 0);
        for segment in self.segments.iter().rev() {
            if bytes + segment.records.len() > most {
                break;
            }
            (first, bytes) = (segment.first, bytes + segment.records.len());
        }
        (first, bytes)
    }

    /// Appends the segments from line `next` on, until they have `size` bytes.
    pub(super) fn copy(&self, next: &mut u64, size: usize, out: &mut Vec<u8>) {
        let from = *next;
        for segment in self.segments.iter().filter(|segment| segment.first >= from) {
            if out.len() >= size {
                return;
            }
            out.extend_from_slice(&segment.records);
            *next = segment.first + u64::from(segment.lines);
        }
    }

    /// The lines that [`Lines::copy`] wrote.
    pub(super) fn read<'a>(
        bytes: &'a [u8],
        interner: &'a Interner,
    ) -> impl Iterator<Item = Line> + 'a {
        let mut records = Decoder::new(bytes, interner);
        std::iter::from_fn(move || {
            if records.is_empty() {
                return None;
            }
            let length = records.number() as usize;
            Some(View::read(Decoder::new(records.take(length), interner)).line())
        })
    }

    pub(super) fn insert(&mut self, interner: &mut Interner, service: &str, log: &Log) {
        self.record.clear();
        write(
            &mut Encoder {
                out: &mut self.record,
                interner,
                trace: log.trace.map_or(0, |id| id.get() as u64),
            },
            service,
            log,
        );
        let needed = self.record.len() + 5;
        let room =
            self.segments.back().map_or(0, |last| last.records.capacity() - last.records.len());
        if room < needed {
            self.add_segment(needed);
        }
        if let Some(last) = self.segments.back_mut() {
            write_number(&mut last.records, self.record.len() as u64);
            last.records.extend_from_slice(&self.record);
            last.lines += 1;
            self.lines += 1;
            self.next += 1;
        }
        self.record.clear();
        self.record.shrink_to(SEGMENT);
    }

    fn add_segment(&mut self, at_least: usize) {
        if let Some(last) = self.segments.back_mut() {
            self.record_bytes -= last.bytes();
            last.records.shrink_to_fit();
            self.record_bytes += last.bytes();
        }
        let records = Vec::with_capacity(SEGMENT.max(at_least));
        let segment = Segment { records, first: self.next, lines: 0 };
        self.record_bytes += segment.bytes();
        self.segments.push_back(segment);
    }

    /// Drops the oldest segment; returns its number of lines; `None` if there are none.
    pub(super) fn evict_oldest(&mut self) -> Option<u32> {
        let segment = self.segments.pop_front()?;
        self.record_bytes -= segment.bytes();
        self.lines -= segment.lines as usize;
        if self.segments.is_empty() {
            self.segments.shrink_to_fit();
        }
        Some(segment.lines)
    }

    /// The last lines that match, newest last; or, with a position, the first that have arrived since.
    pub(super) fn find(&self, interner: &Interner, wanted: &LogQuery) -> Found {
        let (mut lines, next) = match wanted.from {
            // A position beyond the end is from before a restart of lens: all lines have arrived since.
            Some(from) => self.first(interner, wanted, if from > self.next { 0 } else { from }),
            None => (self.last(interner, wanted), self.next),
        };
        lines.sort_by_key(|line| line.log.at_ns);
        Found { lines, next }
    }

    fn first(&self, interner: &Interner, wanted: &LogQuery, from: u64) -> (Vec<Line>, u64) {
        let mut found = Vec::new();
        for segment in &self.segments {
            if segment.first + u64::from(segment.lines) <= from {
                continue;
            }
            for (number, view) in find_in(segment, interner, wanted) {
                if number >= from {
                    found.push(view.line());
                }
                if found.len() == wanted.limit {
                    return (found, number + 1);
                }
            }
        }
        (found, self.next)
    }

    fn last(&self, interner: &Interner, wanted: &LogQuery) -> Vec<Line> {
        let mut found = Vec::new();
        for segment in self.segments.iter().rev() {
            let missing = wanted.limit - found.len();
            if missing == 0 {
                break;
            }
            let mut here = find_in(segment, interner, wanted);
            here.drain(..here.len().saturating_sub(missing));
            found.extend(here.into_iter().rev());
        }
        found.into_iter().rev().map(|(_, view)| view.line()).collect()
    }
}

/// The lines of a segment that match, with their numbers.
fn find_in<'a>(
    segment: &'a Segment,
    interner: &'a Interner,
    wanted: &LogQuery,
) -> Vec<(u64, View<'a>)> {
    let mut records = Decoder::new(&segment.records, interner);
    let mut found = Vec::new();
    let mut number = segment.first;
    while !records.is_empty() {
        let length = records.number() as usize;
        let view = View::read(Decoder::new(records.take(length), interner));
        if view.fits(wanted) {
            found.push((number, view));
        }
        number += 1;
    }
    found
}

fn write(encoder: &mut Encoder<'_>, service: &str, log: &Log) {
    encoder.out.push(log.severity.number());
    let trace = log.trace.map_or(0, TraceId::get);
    encoder.fixed((trace >> 64) as u64);
    encoder.fixed(trace as u64);
    encoder.name(service.as_bytes());
    encoder.fixed(log.at_ns);
    encoder.fixed(log.span.map_or(0, SpanId::get));
    encoder.name(log.target.as_bytes());
    encoder.value(log.body.as_bytes());
    encoder.attributes(&log.attributes);
}

/// A record that is decoded up to the fields of a query.
struct View<'a> {
    severity: Severity,
    trace: Option<TraceId>,
    service: &'a str,
    at_ns: u64,
    rest: Decoder<'a>,
}

impl<'a> View<'a> {
    fn read(mut decoder: Decoder<'a>) -> Self {
        let severity = Severity::from_number(i32::from(decoder.byte()));
        let trace = TraceId::new(u128::from(decoder.fixed()) << 64 | u128::from(decoder.fixed()));
        let service = decoder.text();
        let at_ns = decoder.fixed();
        Self { severity, trace, service, at_ns, rest: decoder }
    }

    fn fits(&self, wanted: &LogQuery) -> bool {
        wanted.trace.is_none_or(|trace| self.trace == Some(trace))
            && wanted.since_ns.is_none_or(|since| self.at_ns >= since)
            && wanted.severity.is_none_or(|severity| self.severity >= severity)
            && wanted.service.as_deref().is_none_or(|service| self.service == service)
    }

    fn line(mut self) -> Line {
        let log = Log {
            severity: self.severity,
            trace: self.trace,
            at_ns: self.at_ns,
            span: SpanId::new(self.rest.fixed()),
            target: self.rest.text().to_owned(),
            body: self.rest.text().to_owned(),
            attributes: self.rest.attributes(),
        };
        Line { service: self.service.to_owned(), log }
    }
}
