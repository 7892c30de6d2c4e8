//! Log lines in the order they arrived, in segments: the oldest segment is dropped when room is needed.

use std::collections::VecDeque;

use super::{
    codec::{Decoder, Encoder, write_number},
    words::Words,
};
use crate::{
    cost,
    domain::{Log, Severity, SpanId, TraceId},
};

/// Some two hundred lines: small against the logs' share, large against what it costs to have one.
const SEGMENT: usize = 32 * 1024;

/// Lines that arrived one after the other.
struct Segment {
    records: Vec<u8>,
    lines: u32,
}

impl Segment {
    fn bytes(&self) -> usize {
        cost::allocation(self.records.capacity())
    }
}

/// All log lines there are.
#[derive(Default)]
pub(super) struct Lines {
    segments: VecDeque<Segment>,
    record_bytes: usize,
    lines: usize,
    record: Vec<u8>,
}

/// What to look for; what is not given does not matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) trace: Option<TraceId>,
    pub(crate) service: Option<String>,
    /// At least this severe.
    pub(crate) severity: Option<Severity>,
    pub(crate) limit: usize,
}

/// A line that was found, and who wrote it.
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

    pub(super) fn insert(&mut self, words: &mut Words, service: &str, log: &Log) {
        self.record.clear();
        write(
            &mut Encoder {
                out: &mut self.record,
                words,
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
        let segment = Segment { records: Vec::with_capacity(SEGMENT.max(at_least)), lines: 0 };
        self.record_bytes += segment.bytes();
        self.segments.push_back(segment);
    }

    /// Drops the oldest lines and gives their number; `None` if there are none.
    pub(super) fn evict_oldest(&mut self) -> Option<u32> {
        let segment = self.segments.pop_front()?;
        self.record_bytes -= segment.bytes();
        self.lines -= segment.lines as usize;
        if self.segments.is_empty() {
            self.segments.shrink_to_fit();
        }
        Some(segment.lines)
    }

    /// The last lines that fit, newest last.
    pub(super) fn find(&self, words: &Words, wanted: &Wanted) -> Vec<Line> {
        let mut found = Vec::new();
        for segment in self.segments.iter().rev() {
            let missing = wanted.limit - found.len();
            if missing == 0 {
                break;
            }
            let mut here = find_in(segment, words, wanted);
            here.drain(..here.len().saturating_sub(missing));
            found.extend(here.into_iter().rev());
        }
        let mut found: Vec<Line> = found.into_iter().rev().map(View::line).collect();
        found.sort_by_key(|line| line.log.at_ns);
        found
    }
}

fn find_in<'a>(segment: &'a Segment, words: &'a Words, wanted: &Wanted) -> Vec<View<'a>> {
    let mut records = Decoder::new(&segment.records, words);
    let mut found = Vec::new();
    while !records.is_empty() {
        let length = records.number() as usize;
        let view = View::read(Decoder::new(records.take(length), words));
        if view.fits(wanted) {
            found.push(view);
        }
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

/// A record that was read as far as it is searched for.
struct View<'a> {
    severity: Severity,
    trace: Option<TraceId>,
    service: &'a str,
    rest: Decoder<'a>,
}

impl<'a> View<'a> {
    fn read(mut decoder: Decoder<'a>) -> Self {
        let severity = Severity::from_number(i32::from(decoder.byte()));
        let trace = TraceId::new(u128::from(decoder.fixed()) << 64 | u128::from(decoder.fixed()));
        let service = decoder.text();
        Self { severity, trace, service, rest: decoder }
    }

    fn fits(&self, wanted: &Wanted) -> bool {
        wanted.trace.is_none_or(|trace| self.trace == Some(trace))
            && wanted.severity.is_none_or(|severity| self.severity >= severity)
            && wanted.service.as_deref().is_none_or(|service| self.service == service)
    }

    fn line(mut self) -> Line {
        let log = Log {
            severity: self.severity,
            trace: self.trace,
            at_ns: self.rest.fixed(),
            span: SpanId::new(self.rest.fixed()),
            target: self.rest.text().to_owned(),
            body: self.rest.text().to_owned(),
            attributes: self.rest.attributes(),
        };
        Line { service: self.service.to_owned(), log }
    }
}
