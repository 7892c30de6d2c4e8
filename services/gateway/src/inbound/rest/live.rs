//! `/api/orders/{id}/live`: Server-Sent Events, <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use std::{convert::Infallible, sync::Arc, time::Duration};

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
    Shop,
    orders::OrderId,
    refusals::{refusals, refused},
};
use crate::{
    config::Customer,
    live::{Story, Telling},
};

/// How often a silent stream sends a comment: proxies cut streams that are silent for longer, usually after 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long a browser waits before it reconnects after a stream was cut off.
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
/// The order's story as Server-Sent Events: every status it has had, then each further one as it happens, in order; the stream
/// ends after `completed` or `cancelled`. Two kinds of events:
///
/// - `status`: the order took a status. The id is the revision, the data a `StatusChange`.
/// - `activity`: something else happened to it. No id; the data is an `Activity`.
///
/// A comment is sent when there was nothing to tell for 10 s. As many streams are open as fit in (`live_streams`); a further one is
/// answered 503. A browser that comes back with `Last-Event-ID` is told what it
/// has not had; one that has had everything is answered 204, which ends its coming back.
#[utoipa::path(
    get, path = "/api/orders/{id}/live", tag = "orders", operation_id = "followOrder",
    params(
        ("id" = String, Path, format = "uuid", description = "The order's id."),
        (
            "Last-Event-ID" = Option<String>, Header, nullable = false, example = "2",
            description = "The last `status` event that is known already; browsers send it by themselves.",
        ),
    ),
    responses(
        (
            status = 200, description = "The order's story: a stream of text, each event of which is a `LiveEvent`.",
            body = String, content_type = "text/event-stream",
            example = "retry: 1000\n\nevent: status\nid: 1\n\
                data: {\"id\":\"6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11\",\"status\":\"placed\",\
                \"at\":\"2026-03-14T09:26:53.589793Z\",\"revision\":1,\
                \"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}\n\n",
        ),
        (status = 204, description = "The order's story is over, and all of it is known already."),
        FollowRefusals,
    ),
)]
pub(super) async fn follow(
    State(shop): State<Arc<Shop>>,
    customer: Customer,
    OrderId(id): OrderId,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    telemetry::annotate("order.id", id.clone());
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let Some(story) = shop.live.follow(&customer, &id, last).await.map_err(refused)? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let events = Sse::new(events(story)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // nginx would buffer events that should be seen at once.
    Ok(([("x-accel-buffering", "no")], events).into_response())
}

fn events(story: Story) -> impl Stream<Item = Result<Event, Infallible>> {
    let hint = stream::once(async { Ok(Event::default().retry(RETRY)) });
    let told = stream::unfold(story, |mut story| async move {
        let telling = story.next().await?;
        Some((event(&telling), story))
    });
    hint.chain(told.filter_map(|event| std::future::ready(event.map(Ok))))
}

/// Returns `None` if the data cannot be serialized, which cannot happen for our own types.
fn event(telling: &Telling) -> Option<Event> {
    match telling {
        Telling::Status(change) => {
            Event::default().event("status").id(change.revision.to_string()).json_data(change).ok()
        }
        Telling::Activity(activity) => Event::default().event("activity").json_data(activity).ok(),
    }
}
