//! The topics, an order's events and the dead letters, for the console: `/lens/v1/events/…`.

mod json;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use chassis::{
    Error, Kind,
    http::{Json, Path, Problem},
    text::printable,
};
use event_log::{Handled, Place};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{operate::Operate, params::Params};
use crate::events::Events;

type Shared = State<Arc<Events>>;

/// The paths; those that change something are behind the guard.
pub(crate) fn routes(events: Events, operate: &Operate) -> Router {
    let letter = "/lens/v1/events/dead-letters/{topic}/{partition}/{offset}";
    let changes = Router::new()
        .route("/lens/v1/events/poison", post(poison))
        .route("/lens/v1/events/dead-letters/replay", post(replay_all))
        .route(&format!("{letter}/replay"), post(replay))
        .route(&format!("{letter}/discard"), post(discard));
    Router::new()
        .route("/lens/v1/events/topics", get(topics))
        .route("/lens/v1/events/orders/{id}", get(order))
        .route("/lens/v1/events/dead-letters", get(letters))
        .route(letter, get(one_letter))
        .merge(operate.around(changes))
        .with_state(Arc::new(events))
}

async fn topics(State(events): Shared) -> Result<Json<Value>, Problem> {
    let overview = events.overview().await.map_err(problem)?;
    Ok(Json(json::overview(&overview)))
}

/// The longest id of an order that is looked for.
const LONGEST_ID: usize = 128;

async fn order(State(events): Shared, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    if id.len() > LONGEST_ID {
        let detail =
            format!("an order's id has at most {LONGEST_ID} bytes; this one has {}", id.len());
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid-argument", detail));
    }
    let found = events.of_order(id.clone()).await.map_err(problem)?;
    json::order(&id, &found).map(Json).map_err(problem)
}

async fn letters(State(events): Shared, params: Params) -> Result<Json<Value>, Problem> {
    let words = ["true", "false"];
    let all =
        params.one_of("all", &words, |word| word.parse().ok()).map_err(super::lens::refused)?;
    let read = events.letters().await.map_err(problem)?;
    Ok(Json(json::letters(&read, all.unwrap_or(false))))
}

async fn one_letter(
    State(events): Shared,
    Path(place): Path<(String, i32, i64)>,
) -> Result<Json<Value>, Problem> {
    let place = placed(place).map_err(problem)?;
    let (letter, handled) = events.letter(place).await.map_err(problem)?;
    json::letter(&letter, handled).map(Json).map_err(problem)
}

async fn replay(events: Shared, place: Path<(String, i32, i64)>) -> Result<Json<Value>, Problem> {
    handle(events, place, Handled::Replayed).await
}

async fn discard(events: Shared, place: Path<(String, i32, i64)>) -> Result<Json<Value>, Problem> {
    handle(events, place, Handled::GivenUp).await
}

async fn handle(
    State(events): Shared,
    Path(place): Path<(String, i32, i64)>,
    how: Handled,
) -> Result<Json<Value>, Problem> {
    let place = placed(place).map_err(problem)?;
    events.handle(place.clone(), how).await.map_err(problem)?;
    tracing::info!(dead_letter = %place, how = how.as_str(), "a dead letter was handled");
    Ok(Json(json!({ "id": place, "handled": how })))
}

async fn replay_all(State(events): Shared) -> Result<Json<Value>, Problem> {
    let result = events.replay_all().await.map_err(problem)?;
    let (done, failed) = (result.done.len(), result.failed.len());
    tracing::info!(done, failed, left = result.left, "dead letters were replayed");
    let failed = result
        .failed
        .into_iter()
        .map(|(place, error)| json!({ "id": place, "error": chain(&error) }));
    let failed: Vec<_> = failed.collect();
    Ok(Json(json!({ "replayed": result.done, "failed": failed, "left": result.left })))
}

/// A record that no service can decode.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Poison {
    /// The topic, e.g. `orders.events`.
    topic: String,
    /// The key: an order's id, or any other text; without one, any partition gets the record.
    key: Option<String>,
}

async fn poison(State(events): Shared, Json(body): Json<Poison>) -> Result<Json<Value>, Problem> {
    let length = body.key.as_ref().map_or(0, String::len);
    if length > LONGEST_ID {
        let detail = format!("the key has at most {LONGEST_ID} bytes; this one has {length}");
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-argument", detail);
        return Err(problem.field("key", format!("{length} bytes, at most {LONGEST_ID}")));
    }
    let event_id = format!("poison-{}", uuid::Uuid::new_v4());
    let sent = events.poison(body.topic, body.key, event_id.clone()).await;
    let place = sent.map_err(problem)?;
    tracing::info!(record = %place, "a record that is no event was sent");
    Ok(Json(json!({
        "event_id": event_id,
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
    })))
}

fn placed((topic, partition, offset): (String, i32, i64)) -> Result<Place, Error> {
    let place = format!("{topic}/{partition}/{offset}").parse();
    place.map_err(|text: String| Error::new(Kind::Invalid, text))
}

/// The causes are about Kafka, not about lens, and the operator needs them.
fn problem(error: Error) -> Problem {
    let internal = error.kind() == Kind::Internal;
    let text = chain(&error);
    let mut problem = Problem::from(error);
    if !internal {
        problem.detail = printable(&text, LONGEST_DETAIL);
    }
    problem
}

/// The most characters of a detail.
const LONGEST_DETAIL: usize = 500;

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
