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
    store::{ServicePart, Store, Summary},
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
    let search = jaeger::search_of(&params, traces.clock.now()).map_err(refused)?;
    let words = |word: &str| word.parse::<bool>().ok();
    let probes = params.one_of("probes", &["true", "false"], words).map_err(refused)?;
    let found = traces.store.summaries(&search, probes.unwrap_or_default());
    Ok(Json(json!({ "items": found.iter().map(summary).collect::<Vec<_>>() })))
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
    let items = traces.store.linked(id, MOST_LINKS).into_iter().map(|one| {
        json!({
            "trace_id": one.trace.to_string(),
            "span_id": format!("{:016x}", one.span),
            "service": one.service,
            "name": one.name,
            "to_span_id": format!("{:016x}", one.to),
        })
    });
    Ok(Json(json!({ "items": items.collect::<Vec<_>>() })))
}
