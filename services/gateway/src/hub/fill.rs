//! The subscription to NATS that fills the hub.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use tokio::time::sleep;

use super::{Hub, What};
use crate::outbound::{LiveMessage, Updates};

/// The pause after a failed attempt to subscribe: without NATS, WebSockets live on and continue soon after it is back.
const RETRY: Duration = Duration::from_millis(500);

/// Fills the hub while WebSockets are open, and for `grace` after the last; never returns.
pub(crate) async fn fill(
    hub: Arc<Hub>,
    updates: Arc<dyn Updates>,
    grace: Duration,
) -> anyhow::Result<()> {
    loop {
        // The hub has the sender.
        hub.open.subscribe().wait_for(|open| *open > 0).await.ok();
        match updates.subscribe_all().await {
            Ok(messages) => {
                hub.begin();
                tokio::select! {
                    () = receive(&hub, messages) => {}
                    () = unused(&hub, grace) => {}
                }
                hub.end();
            }
            Err(error) => {
                tracing::debug!(%error, "no live updates for WebSockets");
                sleep(RETRY).await;
            }
        }
    }
}

/// Returns when the subscription ends.
async fn receive(hub: &Hub, mut messages: BoxStream<'static, LiveMessage>) {
    while let Some(message) = messages.next().await {
        match message {
            LiveMessage::Update(update) => hub.add(&update),
            LiveMessage::Reconnected => hub.push(What::Lapse),
        }
    }
}

/// Returns when no WebSocket was open for this time.
async fn unused(hub: &Hub, grace: Duration) {
    let mut open = hub.open.subscribe();
    loop {
        open.wait_for(|open| *open == 0).await.ok();
        let used = tokio::time::timeout(grace, open.wait_for(|open| *open > 0)).await.is_ok();
        if !used {
            return;
        }
    }
}
