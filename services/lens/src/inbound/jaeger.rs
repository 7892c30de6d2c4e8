//! Jaeger's query API, so that every client that shows Jaeger's traces can show ours: Jaeger's own page, Grafana, scripts.
//!
//! Jaeger calls the API internal and documents it only in its source; its v1 clients use this version:
//! <https://github.com/jaegertracing/jaeger/blob/v1.62.0/cmd/query/app/http_handler.go>

mod json;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::{StreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    lens,
    params::{InvalidParam, Params, TRACE_ID, parse_lookback},
};
use crate::{
    clock::Clock,
    coverage,
    domain::{Kind, TraceId},
    scrape::Scraper,
    store::{Search, Store},
    topology::Topology,
};

/// The number of traces for clients that set no limit.
const USUAL_LIMIT: usize = 100;

/// The maximum that Jaeger's page allows; a higher limit is lowered to this.
const LARGEST_LIMIT: usize = 1_500;

/// How far back dependencies go by default: Jaeger's default, and as far as lens keeps them.
const USUAL_LOOKBACK: Duration = Duration::from_secs(24 * 60 * 60);

const SERVICE: &str = "the name of a service; /api/services lists them";

struct Jaeger {
    store: Arc<Store>,
    topology: Arc<Topology>,
    scraper: Arc<Scraper>,
    clock: Clock,
}

type Shared = State<Arc<Jaeger>>;

/// The paths that Jaeger's clients request.
pub(crate) fn routes(
    store: &Arc<Store>,
    topology: &Arc<Topology>,
    scraper: &Arc<Scraper>,
    clock: Clock,
) -> Router {
    let jaeger = Jaeger {
        store: Arc::clone(store),
        topology: Arc::clone(topology),
        scraper: Arc::clone(scraper),
        clock,
    };
    Router::new()
        .route("/api/services", get(services))
        .route("/api/services/{service}/operations", get(operation_names))
        .route("/api/operations", get(operations))
        .route("/api/traces", get(search))
        .route("/api/traces/{id}", get(trace))
        .route("/api/dependencies", get(dependencies))
        .with_state(Arc::new(jaeger))
}

async fn services(State(jaeger): Shared) -> Response {
    let services = jaeger.store.services();
    list(services.len(), services)
}

async fn operation_names(State(jaeger): Shared, Path(service): Path<String>) -> Response {
    let mut names: Vec<_> =
        jaeger.store.operations(&service, None).into_iter().map(|(name, _)| name).collect();
    names.dedup();
    list(names.len(), names)
}

async fn operations(State(jaeger): Shared, params: Params) -> Result<Response, Refusal> {
    let service = params.required("service", SERVICE)?;
    let kinds = Kind::ALL.map(Kind::label);
    let of_label = |label: &str| Kind::ALL.into_iter().find(|kind| kind.label() == label);
    let kind = params.one_of("spanKind", &kinds[1..], of_label)?;
    let operations = jaeger.store.operations(service, kind);
    let shown =
        operations.iter().map(|(name, kind)| json!({ "name": name, "spanKind": kind.label() }));
    Ok(list(operations.len(), shown.collect::<Vec<_>>()))
}

async fn trace(State(jaeger): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    let bad =
        || InvalidParam { name: "traceID".into(), value: id.clone(), expected: TRACE_ID.into() };
    let id = TraceId::parse(&id).ok_or_else(bad)?;
    let Some(found) = jaeger.store.trace(id) else { return Err(Refusal::not_found()) };
    Ok(list(0, [json::trace(&found)]))
}

async fn search(State(jaeger): Shared, params: Params) -> Result<Response, Refusal> {
    let wanted = params.all("traceID").map(|id| {
        let bad = || InvalidParam {
            name: "traceID".into(),
            value: id.to_owned(),
            expected: TRACE_ID.into(),
        };
        TraceId::parse(id).ok_or_else(bad)
    });
    let wanted = wanted.collect::<Result<Vec<_>, InvalidParam>>()?;
    if wanted.is_empty() {
        params.required("service", SERVICE)?;
        let found = jaeger.store.search(&search_of(&params, jaeger.clock.now())?);
        return Ok(stream_traces(jaeger, found, Value::Null));
    }
    let (found, missing): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|id| jaeger.store.has_trace(*id));
    let errors = missing
        .iter()
        .map(|id| json!({ "msg": NOT_FOUND, "traceID": id.to_string() }))
        .collect::<Vec<_>>();
    let errors = if errors.is_empty() { Value::Null } else { errors.into() };
    Ok(stream_traces(jaeger, found, errors))
}

/// Reads a search. It may be without a service, which Jaeger requires and lens' own search does not.
pub(super) fn search_of(params: &Params, now: Duration) -> Result<Search, InvalidParam> {
    let micros = "microseconds since the Unix epoch";
    let nanos = |micros: Option<u64>| micros.map(|micros| micros.saturating_mul(1_000));
    let end = nanos(params.number("end", micros)?);
    let start = nanos(params.number("start", micros)?).or_else(|| {
        // Jaeger ignores `lookback`, since its page sends `start`, too; so it may have any value: `custom`, `2d`.
        let lookback = params.text("lookback").and_then(parse_lookback)?.as_nanos();
        let end = end.map_or(now.as_nanos(), u128::from);
        u64::try_from(end.saturating_sub(lookback)).ok()
    });
    let shortest = params.duration("minDuration")?.map(|duration| duration.as_nanos() as u64);
    let longest = params.duration("maxDuration")?.map(|duration| duration.as_nanos() as u64);
    if shortest.zip(longest).is_some_and(|(shortest, longest)| longest < shortest) {
        let value = params.text("maxDuration").unwrap_or_default().to_owned();
        return Err(InvalidParam {
            name: "maxDuration".into(),
            value,
            expected: "no less than minDuration".into(),
        });
    }
    Ok(Search {
        service: params.text("service").map(str::to_owned),
        operation: params
            .text("operation")
            .filter(|operation| *operation != "all")
            .map(str::to_owned),
        tags: tags_of(params)?,
        started_from_ns: start,
        started_to_ns: end,
        shortest_ns: shortest,
        longest_ns: longest,
        limit: params.limit_cut(USUAL_LIMIT, LARGEST_LIMIT)?,
    })
}

/// Reads `tag=key:value` and `tags={"key":"value"}`.
fn tags_of(params: &Params) -> Result<Vec<(String, String)>, InvalidParam> {
    let bad = |name: &str, value: &str, expected: &str| InvalidParam {
        name: name.to_owned(),
        value: value.to_owned(),
        expected: expected.to_owned(),
    };
    let mut tags = Vec::new();
    for tag in params.all("tag") {
        let (key, value) = tag.split_once(':').ok_or_else(|| bad("tag", tag, "key:value"))?;
        tags.push((key.to_owned(), value.to_owned()));
    }
    for object in params.all("tags") {
        let expected = || bad("tags", object, r#"a JSON object of texts, as {"error":"true"}"#);
        let fields: serde_json::Map<String, Value> =
            serde_json::from_str(object).map_err(|_| expected())?;
        for (key, value) in fields {
            let value = match value {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return Err(expected()),
            };
            tags.push((key, value));
        }
    }
    Ok(tags)
}

async fn dependencies(State(jaeger): Shared, params: Params) -> Result<Response, Refusal> {
    let end = params
        .number("endTs", "milliseconds since the Unix epoch")?
        .map_or_else(|| jaeger.clock.now(), Duration::from_millis);
    let lookback = params
        .number("lookback", "a number of milliseconds")?
        .map_or(USUAL_LOOKBACK, Duration::from_millis);
    let wanted = params.text("service");
    let mut dependencies = jaeger.topology.dependencies(end, lookback);
    dependencies
        .retain(|one| wanted.is_none_or(|service| one.parent == service || one.child == service));
    let shown = dependencies
        .iter()
        .map(|one| json!({ "parent": one.parent, "child": one.child, "callCount": one.calls }));
    // The counts are those of the traces that lens has. Jaeger's clients ignore fields that they do not know.
    let share = lens::share(&jaeger.topology, &jaeger.scraper, jaeger.clock);
    let envelope =
        Envelope { data: shown.collect::<Vec<_>>(), total: 0, limit: 0, offset: 0, errors: None };
    let mut answer = serde_json::to_value(envelope).unwrap_or_default();
    answer["sampled"] = share.map(coverage::is_sampled).into();
    answer["coverage"] = share.map(lens::rounded).into();
    Ok(axum::Json(answer).into_response())
}

/// The envelope of every answer.
#[derive(Serialize)]
struct Envelope<T> {
    data: T,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<Vec<Value>>,
}

fn list(total: usize, data: impl Serialize) -> Response {
    axum::Json(Envelope { data, total, limit: 0, offset: 0, errors: None }).into_response()
}

/// Streams the traces one by one, as the client reads them: all at once, as JSON, they could be larger than the memory they are
/// in.
fn stream_traces(jaeger: Arc<Jaeger>, ids: Vec<TraceId>, errors: Value) -> Response {
    let mut separator = "";
    let traces = ids.into_iter().filter_map(move |id| {
        // A trace that was evicted since the search is left out.
        let found = jaeger.store.trace(id)?;
        let json = serde_json::to_string(&json::trace(&found)).ok()?;
        Some(Bytes::from(format!("{}{json}", std::mem::replace(&mut separator, ","))))
    });
    let begin = stream::iter([Bytes::from_static(br#"{"data":["#)]);
    let end = stream::iter([Bytes::from(format!(
        r#"],"total":0,"limit":0,"offset":0,"errors":{errors}}}"#
    ))]);
    let body = begin.chain(stream::iter(traces)).chain(end).map(Ok::<_, Infallible>);
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response()
}

/// Jaeger's own text.
const NOT_FOUND: &str = "trace not found";

/// An error, in Jaeger's format.
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, message: NOT_FOUND.to_owned() }
    }
}

impl From<InvalidParam> for Refusal {
    fn from(bad: InvalidParam) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: bad.to_string() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let errors = vec![json!({ "code": self.status.as_u16(), "msg": self.message })];
        let envelope =
            Envelope { data: Value::Null, total: 0, limit: 0, offset: 0, errors: Some(errors) };
        (self.status, axum::Json(envelope)).into_response()
    }
}
