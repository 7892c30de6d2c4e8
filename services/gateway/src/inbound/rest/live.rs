//! `/api/orders/{id}/live`: Server-Sent Events, <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use chassis::{http::Problem, telemetry};
use futures::{Stream, StreamExt, stream};
use utoipa::ToSchema;

use super::{
    AppState, Customer,
    orders::Id,
    problems::{refusals, refused},
};
use crate::live::{OrderStream, StreamEvent};

/// How long a stream has sent nothing when it sends a comment: proxies close streams that are silent for longer, usually 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long a browser waits before it reconnects after a stream was interrupted.
const RETRY: Duration = Duration::from_secs(1);

/// A Server-Sent Event of a live stream, field by field.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what axum writes")]
pub(super) struct LiveEvent {
    /// What the data is: a `StatusChange`, or an `Activity`.
    event: LiveKind,
    /// The revision, if it is a `status` event.
    #[schema(nullable = false)]
    id: Option<String>,
    /// JSON.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// The kinds of events.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes what axum writes")]
pub(super) enum LiveKind {
    /// The order took a status.
    Status,
    /// Something else happened to it.
    Activity,
}

refusals!(FollowRefusals: NO_ORDER);

/// Watch an order
///
/// What happens to an order, as Server-Sent Events: first every status that it has had, then each further status as the order
/// takes it, in order. The stream ends after `completed` or `cancelled`. There are two kinds of events:
///
/// - `status`: the order took a status. The id is the revision, the data a `StatusChange`.
/// - `activity`: something else happened to the order. There is no id; the data is an `Activity`.
///
/// After 10 s without an event, the gateway sends a comment. The number of open streams is limited (`live_streams`); a further
/// request is answered with 503. A browser that reconnects with `Last-Event-ID` receives the events after that one. If there are
/// none and the order has ended, the answer is 204, and the browser does not reconnect again.
#[utoipa::path(
    get, path = "/api/orders/{id}/live", tag = "orders", operation_id = "followOrder",
    params(
        ("id" = String, Path, format = "uuid", description = "The order's id."),
        (
            "Last-Event-ID" = Option<String>, Header, nullable = false, example = "2",
            description = "The id of the last `status` event that the client has. Browsers send this header by themselves.",
        ),
    ),
    responses(
        (
            status = 200, description = "What happens to the order: a stream of text in which each event is a `LiveEvent`.",
            body = String, content_type = "text/event-stream",
            example = "retry: 1000\n\nevent: status\nid: 1\n\
                data: {\"id\":\"6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11\",\"status\":\"placed\",\
                \"at\":\"2026-03-14T09:26:53.589793Z\",\"revision\":1,\
                \"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}\n\n",
        ),
        (status = 204, description = "The order has ended, and the client has all its events."),
        FollowRefusals,
    ),
)]
pub(super) async fn follow(
    State(state): State<Arc<AppState>>,
    Customer(customer): Customer,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    telemetry::annotate("order.id", id.to_string());
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let Some(stream) = state.live.open(&customer, &id, last).await.map_err(refused)? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let events = Sse::new(events(stream)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // nginx would buffer events that should be seen at once.
    Ok(([("x-accel-buffering", "no")], events).into_response())
}

fn events(stream: OrderStream) -> impl Stream<Item = Result<Event, axum::Error>> {
    let hint = stream::once(async { Ok(Event::default().retry(RETRY)) });
    let events = stream::unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((sse(&event), stream))
    });
    hint.chain(events)
}

fn sse(event: &StreamEvent) -> Result<Event, axum::Error> {
    match event {
        StreamEvent::Status(change) => {
            Event::default().event("status").id(change.revision.to_string()).json_data(change)
        }
        StreamEvent::Activity(activity) => Event::default().event("activity").json_data(activity),
    }
}
