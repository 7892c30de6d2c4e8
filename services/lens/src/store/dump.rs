//! The traces and log lines as a sequence of parts, to be kept in a file, and back.
//!
//! The records are copied as they are: a full lens is written in a fraction of a second. Each part comes after the dictionary
//! entries that it needs, so that a reader needs one pass. Reading decodes the records and hands out what a service had sent.

use std::io;

use super::{
    Memory, Store,
    codec::{Decoder, read_number, write_number},
    found,
    interner::Interner,
    logs::{self, Lines},
    traces::{Trace, Traces},
};
use crate::domain::{Logs, Scope, Source, Span, Spans, TraceId};

/// The version of the records, which is part of a file's version: to be increased with every change of their encoding.
pub(crate) const VERSION: u32 = 1;

/// The target size of a part. The store is locked while a part is copied, which takes less than a millisecond.
const PART: usize = 256 * 1024;

/// What a part contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Further entries of the dictionary.
    Words,
    /// Traces, oldest first.
    Traces,
    /// Log lines, oldest first.
    Lines,
}

/// How far a dump is.
struct Cursor {
    words: usize,
    trace: u64,
    line: u64,
}

impl Store {
    /// Changes whenever spans or log lines arrive.
    pub(crate) fn revision(&self) -> u64 {
        let memory = self.memory.read();
        memory.traces.received().wrapping_add(memory.lines.received())
    }

    /// Calls `emit` with all parts. They have at most `most` bytes together; what does not fit is left out, oldest first.
    ///
    /// # Errors
    /// Those of `emit`.
    pub(crate) fn dump(
        &self,
        most: usize,
        mut emit: impl FnMut(Part, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut cursor = self.memory.read().begin(most);
        let (mut words, mut records) = (Vec::new(), Vec::new());
        for part in [Part::Lines, Part::Traces] {
            loop {
                words.clear();
                records.clear();
                {
                    let memory = self.memory.read();
                    match part {
                        Part::Traces => memory.traces.copy(&mut cursor.trace, PART, &mut records),
                        _ => memory.lines.copy(&mut cursor.line, PART, &mut records),
                    }
                    // After the records: their words are in the dictionary by now.
                    for word in memory.interner.strings_from(cursor.words) {
                        write_number(&mut words, word.len() as u64);
                        words.extend_from_slice(word);
                        cursor.words += 1;
                    }
                }
                if !words.is_empty() {
                    emit(Part::Words, &words)?;
                }
                if records.is_empty() {
                    break;
                }
                emit(part, &records)?;
            }
        }
        Ok(())
    }

    /// Notes that a trace had further spans, which were not kept because it was too large.
    pub(crate) fn note_left_out(&self, trace: TraceId, spans: u32) {
        self.memory.write().traces.note_left_out(trace, spans);
    }
}

impl Memory {
    /// The beginning of a dump that fits into `most` bytes: log lines may take their share, traces what remains.
    fn begin(&self, most: usize) -> Cursor {
        let most = most.saturating_sub(self.interner.text_bytes());
        let (line, line_bytes) = self.lines.last_within(most / super::LOGS_SHARE);
        let trace = self.traces.last_within(most - line_bytes);
        Cursor { words: 0, trace, line }
    }
}

/// What a part had.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) spans: Vec<Spans>,
    pub(crate) logs: Vec<Logs>,
    /// The traces that were too large, with the number of the spans that they lack.
    pub(crate) left_out: Vec<(TraceId, u32)>,
}

/// Reads the parts of a dump, in their order.
pub(crate) struct Loader {
    interner: Interner,
}

impl Loader {
    pub(crate) fn new() -> Self {
        Self { interner: Interner::new(0) }
    }

    pub(crate) fn read(&mut self, part: Part, bytes: &[u8]) -> Loaded {
        let mut loaded = Loaded::default();
        match part {
            Part::Words => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let length = read_number(&mut rest) as usize;
                    let (word, later) = rest.split_at(length.min(rest.len()));
                    self.interner.push(word);
                    rest = later;
                }
            }
            Part::Traces => {
                let mut records = Decoder::new(bytes, &self.interner);
                while !records.is_empty() {
                    let Some(trace) = Traces::read(&mut records) else { continue };
                    if trace.left_out > 0 {
                        loaded.left_out.push((trace.id, trace.left_out));
                    }
                    loaded.spans.extend(by_source(&trace, &self.interner));
                }
            }
            Part::Lines => {
                for line in Lines::read(bytes, &self.interner) {
                    add(&mut loaded.logs, line);
                }
            }
        }
        loaded
    }
}

/// The spans of a trace as their processes sent them.
fn by_source(trace: &Trace, interner: &Interner) -> Vec<Spans> {
    let found = found(trace, interner);
    let mut all: Vec<Spans> =
        found.sources.into_iter().map(|source| Spans { source, scopes: Vec::new() }).collect();
    for one in found.spans {
        let Some(spans) = all.get_mut(one.source) else { continue };
        add_span(&mut spans.scopes, one.scope, one.span);
    }
    all
}

fn add_span(scopes: &mut Vec<(Scope, Vec<Span>)>, scope: Scope, span: Span) {
    match scopes.iter_mut().find(|(known, _)| *known == scope) {
        Some((_, spans)) => spans.push(span),
        None => scopes.push((scope, vec![span])),
    }
}

/// Lines of one service that follow each other are one batch, so that the order of all lines stays.
fn add(batches: &mut Vec<Logs>, line: logs::Line) {
    if let Some(last) = batches.last_mut().filter(|last| last.source.service == line.service) {
        return last.lines.push(line.log);
    }
    let source = Source { service: line.service, attributes: Vec::new() };
    batches.push(Logs { source, lines: vec![line.log] });
}
