//! Traces in a few numbers, as a list shows them, and the links between traces.

use std::collections::HashSet;

use super::{Memory, Store, record::View, search::Search, traces::Trace};
use crate::domain::{Status, TraceId};

/// A pause of a service that is shorter than this part of its trace cannot be seen in a list.
const SHORTEST_PAUSE: u64 = 100;

/// The most times of one service: a trace of ten thousand spans must not make a long answer.
const MOST_TIMES: usize = 50;

/// Paths that probes, scrapers and the console's own page request: of no interest to those who look for what the mesh did.
const PROBES: [&str; 9] = [
    "/livez",
    "/readyz",
    "/metrics",
    "/healthz",
    "/health",
    "/ready",
    "/live",
    "/",
    "/console.json",
];
const PROBED: [&str; 5] =
    ["grpc.health.v1.Health/", "/lens/", "/prometheus/", "/assets/", "/api/otlp/"];

/// The service whose spans are answers to questions about the mesh.
const OWN: &str = "lens";

/// A search for a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Listing {
    pub(crate) search: Search,
    /// The shortest and the longest duration of a whole trace; those of the search are of a span.
    pub(crate) shortest_ns: Option<u64>,
    pub(crate) longest_ns: Option<u64>,
    /// Whether traces of probes are wanted; they are if the search is for lens.
    pub(crate) probes: bool,
}

impl Listing {
    fn fits(&self, trace: &Trace) -> bool {
        let duration_ns = trace.last_ns.saturating_sub(trace.first_ns);
        self.shortest_ns.is_none_or(|shortest| duration_ns >= shortest)
            && self.longest_ns.is_none_or(|longest| duration_ns <= longest)
    }
}

/// A trace that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) id: TraceId,
    /// The service and the name of the span that was first of those without a parent.
    pub(crate) root: (String, String),
    pub(crate) start_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) spans: u32,
    pub(crate) errors: u32,
    /// The id of the flow that a span names.
    pub(crate) flow: Option<String>,
    /// In the order in which they took part.
    pub(crate) services: Vec<Part>,
}

/// What a service did in a trace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) service: String,
    pub(crate) spans: u32,
    pub(crate) errors: u32,
    /// When it worked: from and to, in nanoseconds since the trace began.
    pub(crate) times: Vec<(u64, u64)>,
}

/// A link between a span of a trace and a span of another trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linked {
    /// The span of this trace.
    pub(crate) here: u64,
    pub(crate) trace: TraceId,
    pub(crate) span: u64,
    pub(crate) service: String,
    pub(crate) name: String,
}

impl Store {
    /// The newest traces that match, newest first.
    pub(crate) fn summaries(&self, listing: &Listing) -> Vec<Summary> {
        let memory = self.memory.read();
        let probes = listing.probes || listing.search.service.as_deref() == Some(OWN);
        let fits = |trace: &&Trace| {
            listing.fits(trace)
                && memory.is_found(&listing.search, trace)
                && (probes || !is_probe(trace.views(&memory.interner)))
        };
        let found = memory.traces.newest_first().filter(fits).take(listing.search.limit);
        found.map(|trace| memory.summary(trace)).collect()
    }

    /// The spans of other traces that link to `id`, newest first.
    pub(crate) fn linked_from(&self, id: TraceId, limit: usize) -> Vec<Linked> {
        let memory = self.memory.read();
        let others = memory.traces.newest_first().filter(|trace| trace.id != id);
        let found = others.flat_map(|trace| {
            let views = trace.views(&memory.interner);
            views.flat_map(move |view| {
                let links = view.links().into_iter().filter(move |link| link.trace == id);
                links.map(move |link| linked(link.span.get(), trace.id, &view))
            })
        });
        found.take(limit).collect()
    }

    /// The spans of other traces that `id` links to, as far as they are kept.
    pub(crate) fn linked_to(&self, id: TraceId, limit: usize) -> Vec<Linked> {
        let memory = self.memory.read();
        let Some(trace) = memory.traces.get(id) else { return Vec::new() };
        let links = trace.views(&memory.interner).flat_map(|view| {
            let links = view.links().into_iter().filter(move |link| link.trace != id);
            links.map(move |link| (view.id(), link))
        });
        let found = links.take(limit).filter_map(|(here, link)| {
            let mut views = memory.traces.get(link.trace)?.views(&memory.interner);
            let view = views.find(|view| view.id() == link.span.get())?;
            Some(linked(here, link.trace, &view))
        });
        found.collect()
    }
}

fn linked(here: u64, trace: TraceId, view: &View<'_>) -> Linked {
    Linked {
        here,
        trace,
        span: view.id(),
        service: view.service.to_owned(),
        name: view.name.to_owned(),
    }
}

impl Memory {
    fn summary(&self, trace: &Trace) -> Summary {
        let views: Vec<_> = trace.views(&self.interner).collect();
        let root = root(&views);
        let key = self.flows.id_key();
        let start_ns = views.iter().map(|view| view.start_ns).min().unwrap_or_default();
        let end_ns = views.iter().map(View::end_ns).max().unwrap_or_default();
        let duration_ns = end_ns.saturating_sub(start_ns);
        Summary {
            id: trace.id,
            root: root
                .map_or_else(Default::default, |root| (root.service.into(), root.name.into())),
            start_ns,
            duration_ns,
            spans: trace.spans,
            errors: trace.errors,
            flow: views.iter().find_map(|view| view.text(key)),
            services: parts(&views, start_ns, duration_ns / SHORTEST_PAUSE),
        }
    }
}

/// The first of the spans without a parent here.
fn root<'v, 'a>(views: &'v [View<'a>]) -> Option<&'v View<'a>> {
    let ids: HashSet<_> = views.iter().map(View::id).collect();
    let roots = views.iter().filter(|view| !ids.contains(&view.parent()));
    roots.min_by_key(|view| view.start_ns)
}

/// Whether the trace has nothing but requests of probes and questions to lens.
fn is_probe<'a>(mut views: impl Iterator<Item = View<'a>>) -> bool {
    let is_probe = |name: &str| {
        let what = name.split_once(' ').map_or(name, |(_, what)| what);
        PROBES.contains(&what) || PROBED.iter().any(|prefix| what.starts_with(prefix))
    };
    views.all(|view| view.service == OWN || is_probe(view.name))
}

fn parts(views: &[View<'_>], start_ns: u64, pause: u64) -> Vec<Part> {
    let mut by_start: Vec<_> = views.iter().collect();
    by_start.sort_by_key(|view| view.start_ns);
    let mut parts: Vec<Part> = Vec::new();
    for view in by_start {
        let (from, to) = (view.start_ns - start_ns, view.end_ns().saturating_sub(start_ns));
        let place =
            parts.iter().position(|part| part.service == view.service).unwrap_or_else(|| {
                let service = view.service.to_owned();
                parts.push(Part { service, spans: 0, errors: 0, times: Vec::new() });
                parts.len() - 1
            });
        let Some(part) = parts.get_mut(place) else { continue };
        part.spans += 1;
        part.errors += u32::from(view.status() == Status::Error);
        let is_full = part.times.len() == MOST_TIMES;
        match part.times.last_mut().filter(|last| is_full || from <= last.1 + pause) {
            Some(last) => last.1 = last.1.max(to),
            None => part.times.push((from, to)),
        }
    }
    parts
}
