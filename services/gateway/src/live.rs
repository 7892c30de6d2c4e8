//! An order's live stream.
//!
//! Live messages are not stored, on purpose: those sent while no subscriber listens are lost. So a stream first subscribes, then
//! reads the order and sends its history, then sends the messages that are new. When a message is missing, or none came for a
//! while, it reads the order again and sends what was missed.

mod story;

use std::{sync::Arc, time::Duration};

use chassis::{Error, Kind, metrics::IntGauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Customer,
    domain::Told,
    metrics::Metrics,
    outbound::{Orders, Updates},
};

pub(crate) use story::{Story, Telling};

/// Opens a stream for each client that watches an order.
#[derive(Clone)]
pub(crate) struct Live {
    orders: Orders,
    updates: Arc<dyn Updates>,
    draining: CancellationToken,
    metrics: Metrics,
    pace: Pace,
    /// One permit for each stream that may be open.
    room: Arc<Semaphore>,
}

/// When a stream reads its order again.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// After this time without a message: this limits how late a client gets a change whose message was lost.
    pub(crate) silence: Duration,
    /// At this interval while there is no subscription, or after a failed read.
    pub(crate) deaf: Duration,
}

impl Default for Pace {
    /// Reading every 5 s costs an idle stream next to nothing; without NATS, every second is still nearly live.
    fn default() -> Self {
        Self { silence: Duration::from_secs(5), deaf: Duration::from_secs(1) }
    }
}

impl Live {
    pub(crate) fn new(
        orders: Orders,
        updates: Arc<dyn Updates>,
        draining: CancellationToken,
        metrics: Metrics,
        pace: Pace,
        most: usize,
    ) -> Self {
        let room = Arc::new(Semaphore::new(most));
        Self { orders, updates, draining, metrics, pace, room }
    }

    /// The stream of an order, from the last event on that the watcher has; `None` if the order has ended and the watcher has
    /// every status. Fails with `Unavailable` if the maximum of streams is open: a stream lasts as long as its order, and each
    /// holds a connection and a subscription.
    pub(crate) async fn follow(
        &self,
        customer: &Customer,
        order_id: &str,
        last_event_id: Option<&str>,
    ) -> Result<Option<Story>, Error> {
        let watching = self.enter()?;
        let heard = self.updates.of(customer, order_id).await;
        let order = self.orders.get(customer, order_id).await?;
        let revision = u32::try_from(order.history.len()).unwrap_or(u32::MAX);
        let told = Told::of(last_event_id, revision);
        if order.status.is_final() && told.has(revision) {
            return Ok(None);
        }
        Ok(Some(Story::begin(self.clone(), customer.clone(), order, told, heard.ok(), watching)))
    }

    fn enter(&self) -> Result<Watching, Error> {
        match Arc::clone(&self.room).try_acquire_owned() {
            Ok(place) => Ok(Watching::new(&self.metrics.live_streams, place)),
            Err(_) => {
                self.metrics.live_streams_refused_total.inc();
                let text = "as many live streams are open as fit in";
                Err(Error::new(Kind::Unavailable, text).reason("OVERLOADED"))
            }
        }
    }
}

/// Counts a stream for as long as it is open.
struct Watching {
    gauge: IntGauge,
    _place: OwnedSemaphorePermit,
}

impl Watching {
    fn new(gauge: &IntGauge, place: OwnedSemaphorePermit) -> Self {
        gauge.inc();
        Self { gauge: gauge.clone(), _place: place }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}
