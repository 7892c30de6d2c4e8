//! The record of one span.

use super::codec::{Decoder, Encoder, Found};
use crate::domain::{Event, Kind, Link, Scope, Source, Span, SpanId, Status, TraceId};

const KIND: u8 = 0b0000_0111;
const STATUS: u8 = 0b0001_1000;
const HAS_PARENT: u8 = 0b0010_0000;
/// The flag of a status message, trace state, events or links: most spans have none of them.
const HAS_MORE: u8 = 0b0100_0000;

/// Writes the beginning of all spans of one scope of one process: encoded once, then copied.
pub(super) fn write_origin(encoder: &mut Encoder<'_>, source: &Source, scope: &Scope) {
    encoder.name(source.service.as_bytes());
    write_blob(encoder, |inner| inner.attributes(&source.attributes));
    write_blob(encoder, |inner| {
        inner.name(scope.name.as_bytes());
        inner.name(scope.version.as_bytes());
    });
}

fn write_blob(encoder: &mut Encoder<'_>, write: impl FnOnce(&mut Encoder<'_>)) {
    let mut blob = Vec::new();
    write(&mut Encoder { out: &mut blob, interner: encoder.interner, trace: encoder.trace });
    encoder.name(&blob);
}

/// Writes `span`, with times relative to `base_ns`.
pub(super) fn write(encoder: &mut Encoder<'_>, origin: &[u8], base_ns: u64, span: &Span) {
    let has_more = !(span.status_message.is_empty()
        && span.trace_state.is_empty()
        && span.events.is_empty()
        && span.links.is_empty());
    encoder.out.extend_from_slice(origin);
    encoder.name(span.name.as_bytes());
    let parent = if span.parent.is_some() { HAS_PARENT } else { 0 };
    let more = if has_more { HAS_MORE } else { 0 };
    encoder.out.push(span.kind.code() | (span.status as u8) << 3 | parent | more);
    encoder.fixed(span.id.get());
    if let Some(parent) = span.parent {
        encoder.fixed(parent.get());
    }
    encoder.signed(span.start_ns.wrapping_sub(base_ns) as i64);
    encoder.number(span.duration_ns);
    encoder.attributes(&span.attributes);
    if has_more {
        write_more(encoder, span);
    }
}

fn write_more(encoder: &mut Encoder<'_>, span: &Span) {
    encoder.value(span.status_message.as_bytes());
    encoder.value(span.trace_state.as_bytes());
    encoder.number(span.events.len() as u64);
    for event in &span.events {
        encoder.signed(event.at_ns.wrapping_sub(span.start_ns) as i64);
        encoder.name(event.name.as_bytes());
        encoder.attributes(&event.attributes);
    }
    encoder.number(span.links.len() as u64);
    for link in &span.links {
        encoder.fixed((link.trace.get() >> 64) as u64);
        encoder.fixed(link.trace.get() as u64);
        encoder.fixed(link.span.get());
    }
}

/// A record that is decoded up to its attributes: enough to reject most spans in a search without decoding more.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) service: &'a str,
    resource: Decoder<'a>,
    scope: Decoder<'a>,
    pub(super) name: &'a str,
    flags: u8,
    id: u64,
    parent: u64,
    pub(super) start_ns: u64,
    pub(super) duration_ns: u64,
    rest: Decoder<'a>,
}

impl<'a> View<'a> {
    pub(super) fn read(mut decoder: Decoder<'a>, base_ns: u64) -> Self {
        let service = decoder.text();
        let resource = decoder.nested();
        let scope = decoder.nested();
        let name = decoder.text();
        let flags = decoder.byte();
        let id = decoder.fixed();
        let parent = if flags & HAS_PARENT == 0 { 0 } else { decoder.fixed() };
        let start_ns = base_ns.wrapping_add(decoder.signed() as u64);
        let duration_ns = decoder.number();
        Self {
            service,
            resource,
            scope,
            name,
            flags,
            id,
            parent,
            start_ns,
            duration_ns,
            rest: decoder,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        Kind::from_code(i32::from(self.flags & KIND))
    }

    pub(super) fn status(&self) -> Status {
        Status::from_code(i32::from((self.flags & STATUS) >> 3))
    }

    /// Whether an attribute of the span, its events or its process has this key and reads like `value`.
    pub(super) fn has(&self, key: &str, value: &str) -> bool {
        let fits = |found_key: &str, found: Found<'_>| found_key == key && found.reads(value);
        let (mut resource, mut rest) = (self.resource, self.rest);
        if rest.any_attribute(fits) || resource.any_attribute(fits) {
            return true;
        }
        if self.flags & HAS_MORE == 0 {
            return false;
        }
        rest.text();
        rest.text();
        (0..rest.number()).any(|_| {
            rest.signed();
            rest.text();
            rest.any_attribute(fits)
        })
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Zero for a root.
    pub(super) fn parent(&self) -> u64 {
        self.parent
    }

    pub(super) fn end_ns(&self) -> u64 {
        self.start_ns.saturating_add(self.duration_ns)
    }

    /// An attribute of the span, as a user reads it.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let (mut rest, mut text) = (self.rest, None);
        rest.any_attribute(|found_key, found| {
            if found_key == key {
                text = Some(found.to_value().to_string());
            }
            text.is_some()
        });
        text
    }

    pub(super) fn links(&self) -> Vec<Link> {
        if self.flags & HAS_MORE == 0 {
            return Vec::new();
        }
        let mut rest = self.rest;
        rest.any_attribute(|_, _| false);
        rest.text();
        rest.text();
        for _ in 0..rest.number() {
            rest.signed();
            rest.text();
            rest.any_attribute(|_, _| false);
        }
        read_links(&mut rest)
    }

    pub(super) fn status_message(&self) -> &'a str {
        if self.flags & HAS_MORE == 0 {
            return "";
        }
        let mut rest = self.rest;
        rest.any_attribute(|_, _| false);
        rest.text()
    }

    pub(super) fn scope(&self) -> Scope {
        let mut scope = self.scope;
        Scope { name: scope.text().to_owned(), version: scope.text().to_owned() }
    }

    pub(super) fn source(&self) -> Source {
        let mut resource = self.resource;
        Source { service: self.service.to_owned(), attributes: resource.attributes() }
    }

    pub(super) fn is_of_same_source(&self, other: &Self) -> bool {
        self.service == other.service && self.resource.bytes_left() == other.resource.bytes_left()
    }

    /// Decodes the whole span.
    pub(super) fn span(&self, trace: TraceId) -> Option<Span> {
        let mut rest = self.rest;
        let mut span = Span {
            trace,
            id: SpanId::new(self.id)?,
            parent: SpanId::new(self.parent),
            name: self.name.to_owned(),
            kind: self.kind(),
            status: self.status(),
            status_message: String::new(),
            trace_state: String::new(),
            start_ns: self.start_ns,
            duration_ns: self.duration_ns,
            attributes: rest.attributes(),
            events: Vec::new(),
            links: Vec::new(),
        };
        if self.flags & HAS_MORE != 0 {
            read_more(&mut rest, &mut span);
        }
        Some(span)
    }
}

fn read_more(rest: &mut Decoder<'_>, span: &mut Span) {
    span.status_message = rest.text().to_owned();
    span.trace_state = rest.text().to_owned();
    for _ in 0..rest.number() {
        let at_ns = span.start_ns.wrapping_add(rest.signed() as u64);
        span.events.push(Event {
            at_ns,
            name: rest.text().to_owned(),
            attributes: rest.attributes(),
        });
    }
    span.links = read_links(rest);
}

fn read_links(rest: &mut Decoder<'_>) -> Vec<Link> {
    let mut links = Vec::new();
    for _ in 0..rest.number() {
        let trace = u128::from(rest.fixed()) << 64 | u128::from(rest.fixed());
        let span_id = SpanId::new(rest.fixed());
        if let (Some(trace), Some(span)) = (TraceId::new(trace), span_id) {
            links.push(Link { trace, span });
        }
    }
    links
}
