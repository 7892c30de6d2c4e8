//! How a load learns that an order ended: from live messages, or, without NATS, from the gateway's newest orders.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use parking_lot::Mutex;
use proto::{Message, notifications::v1::LiveUpdate, orders::v1::Status};
use tokio::time::{Instant, sleep, timeout};

use super::{
    gateway::Gateway,
    tracker::{OrderTracker, Outcome},
};

/// The live messages of all customers: `proto::subjects::LiveOrders`.
const SUBJECT: &str = "live.orders.>";
/// A subject without subscribers: the answer "no responders" arrives after the server has processed all earlier operations.
const NO_RESPONDER: &str = "mesh.load.round-trip";
/// A server on this machine answers at once, or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Subscribes to all live messages from now on.
pub(super) async fn subscribe(url: &str) -> anyhow::Result<async_nats::Subscriber> {
    let connected =
        timeout(CONNECT_TIMEOUT, async_nats::ConnectOptions::new().name("mesh load").connect(url))
            .await;
    let client = connected??;
    let messages = client.subscribe(SUBJECT).await?;
    // Only a round trip shows that the server has the subscription; the request itself fails, as it must.
    timeout(CONNECT_TIMEOUT, client.request(NO_RESPONDER, Vec::new().into())).await?.ok();
    Ok(messages)
}

/// Notes the end of every order as its live message arrives.
pub(super) async fn listen(
    mut messages: async_nats::Subscriber,
    tracker: Arc<Mutex<OrderTracker>>,
    begin: Instant,
) {
    while let Some(message) = messages.next().await {
        let Ok(update) = LiveUpdate::decode(message.payload) else { continue };
        let outcome = match update.change.map(|change| change.status()) {
            Some(Status::Completed) => Outcome::Completed,
            Some(Status::Cancelled) => Outcome::Cancelled,
            _ => continue,
        };
        tracker.lock().ended(&update.order_id, outcome, begin.elapsed());
    }
}

/// How often to read the newest orders: a page holds 100, which is enough for 400 a second.
const EVERY: Duration = Duration::from_millis(250);

/// Notes the ends among the newest orders, again and again.
pub(super) async fn poll(
    gateway: Arc<Gateway>,
    tracker: Arc<Mutex<OrderTracker>>,
    clock: super::Clock,
) {
    loop {
        for outcome in [Outcome::Completed, Outcome::Cancelled] {
            // A read that fails is repeated in the next round.
            for order in gateway.newest(outcome).await.unwrap_or_default() {
                if let Some((outcome, at)) = order.end() {
                    tracker.lock().ended(&order.id, outcome, clock.since(at));
                }
            }
        }
        sleep(EVERY).await;
    }
}
