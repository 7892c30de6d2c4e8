//! Which spans match a search.

use super::{record::View, traces::Trace};
use crate::domain::{Kind, Status};

/// A search; it finds a trace if one of its spans matches all of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Search {
    pub(crate) service: Option<String>,
    pub(crate) operation: Option<String>,
    /// Key and value, as a user types them.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) started_from_ns: Option<u64>,
    pub(crate) started_to_ns: Option<u64>,
    pub(crate) shortest_ns: Option<u64>,
    pub(crate) longest_ns: Option<u64>,
    pub(crate) limit: usize,
}

impl Search {
    /// Whether a trace may match; decided without its spans.
    pub(super) fn may_be_in(&self, trace: &Trace, service_bit: u64) -> bool {
        (self.service.is_none() || trace.services & service_bit != 0)
            && self.shortest_ns.is_none_or(|shortest| trace.longest_ns >= shortest)
            && self.started_from_ns.is_none_or(|from| trace.last_ns >= from)
            && self.started_to_ns.is_none_or(|to| trace.first_ns <= to)
    }

    pub(super) fn means(&self, span: &View<'_>) -> bool {
        self.service.as_deref().is_none_or(|service| service == span.service)
            && self.operation.as_deref().is_none_or(|operation| operation == span.name)
            && self.started_from_ns.is_none_or(|from| span.start_ns >= from)
            && self.started_to_ns.is_none_or(|to| span.start_ns <= to)
            && self.shortest_ns.is_none_or(|shortest| span.duration_ns >= shortest)
            && self.longest_ns.is_none_or(|longest| span.duration_ns <= longest)
            && self.tags.iter().all(|(key, value)| has_tag(span, key, value))
    }
}

/// Whether the span has this tag: an attribute, or a tag that Jaeger derives from other parts of a span.
fn has_tag(span: &View<'_>, key: &str, value: &str) -> bool {
    let is_error = span.status() == Status::Error;
    match key {
        // `false` finds spans that did not fail, whether or not they set an attribute `error`, as in Jaeger.
        "error" => value.parse() == Ok(is_error) || span.has(key, value),
        "span.kind" => span.kind() != Kind::Unspecified && span.kind().label() == value,
        "otel.status_code" => match span.status() {
            Status::Unset => false,
            Status::Ok => value == "OK",
            Status::Error => value == "ERROR",
        },
        "otel.status_description" => span.status_message() == value,
        "otel.scope.name" => span.scope().name == value,
        "otel.scope.version" => span.scope().version == value,
        _ => span.has(key, value),
    }
}
