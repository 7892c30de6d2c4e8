//! An order's story while it happens.
//!
//! Live messages are lost if nobody listens, on purpose. So: listen first, then read the order and tell its history, then tell
//! the messages that are news; where one is missing, or none came for a while, read the order again and tell what was missed.

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

/// Follows orders for whoever watches.
#[derive(Clone)]
pub(crate) struct Live {
    orders: Orders,
    updates: Arc<dyn Updates>,
    draining: CancellationToken,
    metrics: Metrics,
    pace: Pace,
    /// For as many streams as may be open.
    room: Arc<Semaphore>,
}

/// When an order is read again.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// After so long without a message: what was lost last is told no later.
    pub(crate) silence: Duration,
    /// So often while nothing can be heard, or the last reading failed.
    pub(crate) deaf: Duration,
}

impl Default for Pace {
    /// A reading every 5 s costs an idle stream nothing that is noticed; without NATS, a second is still nearly live.
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

    /// The story of an order from the last event on that the watcher has; `None` if it has had all. Refused if there are as many
    /// watchers as fit in: a stream lasts as long as its order, and each holds a connection and a subscription.
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

/// Counts a stream as long as it is there.
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
