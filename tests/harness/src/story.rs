//! A trace as a text picture: which service did what, and what caused it, across every edge.
//!
//! It shows the spans that cross an edge: servers, producers, consumers, HTTP clients, and spans with which a service
//! continues a trace without a consumer span of its own, and what a page shows. Client spans of gRPC, database spans and
//! internal spans of services are left out, and their children move up.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Collector, Kind, Span, until};

/// The service of the console's pages.
const PAGE: &str = "browser";

impl Collector {
    /// The story of a trace; its lines are sorted, so that concurrent spans are always in the same order.
    ///
    /// `⇢` crosses a broker: the consumer has the producer as its parent and as a link. `⇠` is a batch in a trace of its own
    /// that links to the producer.
    pub fn story(&self, trace_id: &str) -> String {
        let all = self.spans();
        let spans: Vec<_> = all.iter().filter(|span| span.trace_id == trace_id).collect();
        let batches: Vec<_> = all
            .iter()
            .filter(|span| span.trace_id != trace_id && span.kind == Kind::Consumer)
            .collect();
        Teller { spans, batches }.tell()
    }

    /// The spans of a trace whose parent is missing: the trace is broken, or not complete yet.
    pub fn orphans(&self, trace_id: &str) -> Vec<Span> {
        let spans = self.trace(trace_id);
        let ids: BTreeSet<_> = spans.iter().map(|span| span.id.clone()).collect();
        spans
            .into_iter()
            .filter(|span| !span.parent.is_empty() && !ids.contains(&span.parent))
            .collect()
    }

    /// Waits for a span of this service in a trace.
    ///
    /// # Panics
    /// If there was none within [`PATIENCE`](crate::PATIENCE).
    pub async fn until_span(&self, trace_id: &str, service: &str) {
        until(&format!("a span of {service}"), || {
            let found = self.trace(trace_id).iter().any(|span| span.service == service);
            async move { found.then_some(()) }
        })
        .await;
    }
}

struct Teller<'a> {
    spans: Vec<&'a Span>,
    batches: Vec<&'a Span>,
}

impl Teller<'_> {
    fn tell(&self) -> String {
        let mut lines = Vec::new();
        let mut children: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
        for span in self.spans.iter().filter(|span| self.is_shown(span)) {
            children.entry(self.shown_parent(span)).or_default().push(span);
        }
        let mut roots = children.remove("").unwrap_or_default();
        roots.sort_by_key(|span| span.start);
        for root in roots {
            self.branch(root, "", "", &children, &mut lines);
        }
        lines.join("\n")
    }

    fn find(&self, id: &str) -> Option<&Span> {
        self.spans.iter().find(|span| span.id == id).copied()
    }

    fn is_shown(&self, span: &Span) -> bool {
        match span.kind {
            Kind::Server | Kind::Producer | Kind::Consumer => true,
            Kind::Client => span.attributes.contains_key("http.request.method"),
            Kind::Internal => {
                span.service == PAGE
                    || self.find(&span.parent).is_none_or(|parent| parent.service != span.service)
            }
        }
    }

    fn shown_parent<'s>(&'s self, span: &'s Span) -> &'s str {
        let mut id = span.parent.as_str();
        while let Some(parent) = self.find(id) {
            if self.is_shown(parent) {
                return &parent.id;
            }
            id = &parent.parent;
        }
        ""
    }

    fn branch(
        &self,
        span: &Span,
        lead: &str,
        mark: &str,
        children: &BTreeMap<&str, Vec<&Span>>,
        lines: &mut Vec<String>,
    ) {
        let event = span.event().map(|event| format!(" {event}")).unwrap_or_default();
        let error = if span.error { " (error)" } else { "" };
        lines.push(format!("{lead}{mark}{} {}{event}{error}", span.service, span.name));
        let below = match mark {
            "" => lead.to_owned(),
            "├─ " => format!("{lead}│  "),
            _ => format!("{lead}   "),
        };
        let mut next = children.get(span.id.as_str()).cloned().unwrap_or_default();
        // Which service answers first is chance; the content of the spans is not.
        let order = |span: &Span| {
            (
                span.crosses(),
                span.name.clone(),
                span.event().map(str::to_owned),
                span.service.clone(),
                span.start,
            )
        };
        next.sort_by_cached_key(|span| order(span));
        let mut batches: Vec<_> = self
            .batches
            .iter()
            .filter(|batch| batch.links.iter().any(|(_, id)| *id == span.id))
            .collect();
        batches.sort_by(|a, b| (&a.name, &a.service).cmp(&(&b.name, &b.service)));
        for batch in batches {
            lines.push(format!("{below}⇠ {} {}", batch.service, batch.name));
        }
        for (index, child) in next.iter().enumerate() {
            let last = next.len() == index + 1;
            let mark = match (child.crosses(), last) {
                (true, _) if child.links.iter().any(|(_, id)| *id == child.parent) => "⇢ ",
                (true, _) => "⇢ (no link) ",
                (false, true) => "└─ ",
                (false, false) => "├─ ",
            };
            self.branch(child, &below, mark, children, lines);
        }
    }
}

impl Span {
    /// The event that a producer sends, without its package; the consumers' spans have the same name.
    fn event(&self) -> Option<&str> {
        let kind = self
            .attributes
            .get("cloudevents.event_type")
            .filter(|_| self.kind == Kind::Producer)?;
        kind.rsplit('.').next()
    }

    fn crosses(&self) -> bool {
        self.kind == Kind::Consumer
    }
}
