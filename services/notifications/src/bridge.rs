//! The use case: publish live updates for the current subscribers.

use std::sync::atomic::{AtomicU64, Ordering};

use chassis::{Kind, nats};
use proto::{notifications::v1::LiveUpdate, subjects::LiveOrders};

use crate::metrics::Metrics;

/// The bridge from Kafka to NATS.
pub(crate) struct Bridge {
    nats: nats::Client,
    metrics: Metrics,
    /// Updates lost in the current outage; 0 outside of an outage.
    lost: AtomicU64,
}

impl Bridge {
    pub(crate) fn new(nats: nats::Client, metrics: Metrics) -> Self {
        Self { nats, metrics, lost: AtomicU64::new(0) }
    }

    /// Publishes the update once. A failure is counted and is no error: an update that arrives late is worthless, so the event is
    /// neither retried nor made a dead letter.
    pub(crate) async fn publish(&self, topic: &'static str, update: &LiveUpdate) {
        let outcome = match self
            .nats
            .publish(LiveOrders, &[&update.customer, &update.order_id], update)
            .await
        {
            Ok(()) => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    tracing::info!(lost, "live updates are sent again");
                }
                "sent"
            }
            Err(error) if error.kind() == Kind::Invalid => {
                tracing::warn!(order.id = update.order_id, %error, "a live update was refused");
                "refused"
            }
            Err(error) => {
                if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(%error, "live updates are lost while NATS is unavailable");
                }
                "lost"
            }
        };
        self.metrics.updates_total.with_label_values(&[topic, outcome]).inc();
    }
}

#[cfg(test)]
mod tests;
