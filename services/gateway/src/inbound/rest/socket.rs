//! `/api/live`: live updates over WebSocket, <https://www.rfc-editor.org/rfc/rfc6455>

mod batch;
mod endings;
mod examples;
mod messages;
mod refusal;
mod session;
mod subscriptions;

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use chassis::{
    http::websocket::{Limits, Rate, Upgrade, WebSocket},
    metrics::IntGauge,
    telemetry,
};
use proto::values::CustomerId;
use tokio_util::sync::CancellationToken;

use super::{AppState, Customer, problems::refusals};
use crate::{config::WebSockets, hub::Hub, metrics::Metrics, outbound::Orders};
pub(super) use endings::CODES;
use endings::End;
pub(super) use examples::{client_examples, server_examples};
pub(crate) use messages::{ClientMessage, ServerMessage};
use session::Session;

/// The longest message of a client, in bytes: the longest that makes sense has some 300.
const LONGEST_MESSAGE: usize = 4 * 1024;
/// How long a message may take to be written; a client that does not read for so long is slow.
const WRITE: Duration = Duration::from_secs(5);
/// How often a client may send anything at all, pings included.
const FRAMES: Rate = Rate { per_second: 100, burst: 400 };

/// What all WebSockets share.
#[derive(Clone)]
pub(crate) struct Sockets {
    pub(crate) hub: Arc<Hub>,
    pub(crate) orders: Orders,
    pub(crate) draining: CancellationToken,
    pub(crate) metrics: Metrics,
    pub(crate) config: WebSockets,
}

refusals!(ConnectRefusals: BAD_HANDSHAKE, UPGRADE_REQUIRED);

/// Watch orders
///
/// Live updates over WebSocket: of an order, of a customer's orders, or of all. `/asyncapi.json` describes the messages. The
/// number of open connections is limited (`websocket.connections`). A page of another origin needs the setting `http.origins`.
#[utoipa::path(
    get, path = "/api/live", tag = "orders", operation_id = "watchOrders",
    responses(
        (status = 101, description = "The connection speaks WebSocket from now on."),
        ConnectRefusals,
    ),
)]
pub(super) async fn connect(
    State(state): State<Arc<AppState>>,
    Customer(customer): Customer,
    upgrade: Upgrade,
) -> Response {
    let sockets = state.sockets.clone();
    let limits =
        Limits { message: LONGEST_MESSAGE, rate: FRAMES, ping: sockets.config.ping, write: WRITE };
    // What a session does belongs to the trace of its request.
    let context = telemetry::Context::current();
    upgrade.accept(limits, async move |socket| {
        telemetry::in_context(&context, serve(socket, sockets, customer)).await;
    })
}

/// An open WebSocket, counted until it is dropped: the port may end it at any time.
struct Open(IntGauge);

impl Open {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

async fn serve(mut socket: WebSocket, sockets: Sockets, customer: CustomerId) {
    let (metrics, most) = (sockets.metrics.clone(), sockets.config.connections);
    let end = match sockets.hub.join(most) {
        Some(member) => {
            let _open = Open::new(&metrics.websocket_connections);
            Session::new(sockets, customer, member).serve(&mut socket).await
        }
        None => End::Overloaded(most),
    };
    metrics.websocket_closed_total.with_label_values(&[end.label()]).inc();
    tracing::debug!(reason = end.label(), "a WebSocket ends");
    if let Some(close) = end.close() {
        socket.close(close).await;
    }
}
