//! Lens' own search for traces, which answers with a few numbers of each, and the links between traces.
//!
//! Jaeger's search answers with all spans of all traces: a list that is asked for again and again would cost the mesh more than its
//! orders. And Jaeger knows the links of a span, but not the spans that link to it.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use chassis::http::{Json, Problem};
use serde_json::{Value, json};

use super::{
    jaeger,
    lens::refused,
    params::{InvalidParam, Params, TRACE_ID},
};
use crate::{
    clock::Clock,
    domain::TraceId,
    store::{Linked, Listing, ServicePart, Store, Summary},
};

/// The most links of one answer; a span that has more links to it than this is a batch's.
const MOST_LINKS: usize = 200;

struct Traces {
    store: Arc<Store>,
    clock: Clock,
}

type Shared = State<Arc<Traces>>;

pub(crate) fn routes(store: &Arc<Store>, clock: Clock) -> Router {
    let traces = Traces { store: Arc::clone(store), clock };
    Router::new()
        .route("/lens/v1/traces", get(search))
        .route("/lens/v1/traces/{id}/linked", get(linked))
        .with_state(Arc::new(traces))
}

async fn search(State(traces): Shared, params: Params) -> Result<Json<Value>, Problem> {
    let found = traces.store.summaries(&listing_of(&params, traces.clock).map_err(refused)?);
    Ok(Json(json!({ "items": found.iter().map(summary).collect::<Vec<_>>() })))
}

fn listing_of(params: &Params, clock: Clock) -> Result<Listing, InvalidParam> {
    let total = |name: &str| -> Result<Option<u64>, InvalidParam> {
        Ok(params.duration(name)?.map(|duration| duration.as_nanos() as u64))
    };
    let probes = params.one_of("probes", &["true", "false"], |word| word.parse().ok())?;
    Ok(Listing {
        search: jaeger::search_of(params, clock.now())?,
        shortest_ns: total("minTotal")?,
        longest_ns: total("maxTotal")?,
        probes: probes.unwrap_or_default(),
    })
}

/// Times in milliseconds since the epoch, durations in microseconds: what a page draws without another calculation.
fn summary(found: &Summary) -> Value {
    let (service, name) = &found.root;
    json!({
        "id": found.id.to_string(),
        "service": service,
        "name": name,
        "start": found.start_ns / 1_000_000,
        "duration": found.duration_ns / 1_000,
        "spans": found.spans,
        "errors": found.errors,
        "order": found.flow.as_deref().unwrap_or_default(),
        "services": found.services.iter().map(part).collect::<Vec<_>>(),
    })
}

fn part(part: &ServicePart) -> Value {
    let times = part.times.iter().map(|(from, to)| [from / 1_000, to / 1_000]);
    json!({
        "service": part.service,
        "spans": part.spans,
        "errors": part.errors,
        "times": times.collect::<Vec<_>>(),
    })
}

async fn linked(State(traces): Shared, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let invalid =
        || InvalidParam { name: "id".into(), value: id.clone(), expected: TRACE_ID.into() };
    let id = TraceId::parse(&id).ok_or_else(invalid).map_err(refused)?;
    let from = traces.store.linked_from(id, MOST_LINKS);
    let to = traces.store.linked_to(id, MOST_LINKS);
    let all = |links: &[Linked]| links.iter().map(link).collect::<Vec<_>>();
    Ok(Json(json!({ "from": all(&from), "to": all(&to) })))
}

fn link(link: &Linked) -> Value {
    json!({
        "here": format!("{:016x}", link.here),
        "trace": link.trace.to_string(),
        "span": format!("{:016x}", link.span),
        "service": link.service,
        "name": link.name,
    })
}
