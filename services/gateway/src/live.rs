//! Live streams of orders.
//!
//! Live messages are not stored: a message that is sent while there is no subscription is lost. So a stream first subscribes,
//! then reads the order and sends its history, then sends the messages that are new. When a message is missing, or none came for
//! a while, the stream reads the order again and sends what it missed.

mod stream;

use std::{sync::Arc, time::Duration};

use chassis::{Error, Kind, metrics::IntGauge};
use proto::values::{CustomerId, OrderId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::Cursor,
    metrics::Metrics,
    outbound::{Orders, Updates},
};

pub(crate) use stream::{OrderStream, StreamEvent};

/// Opens live streams.
#[derive(Clone)]
pub(crate) struct Live {
    orders: Orders,
    updates: Arc<dyn Updates>,
    draining: CancellationToken,
    metrics: Metrics,
    intervals: ReadIntervals,
    /// One permit for each stream that may be open.
    permits: Arc<Semaphore>,
}

/// How long a stream waits before it reads its order again.
#[derive(Clone, Copy)]
pub(crate) struct ReadIntervals {
    /// Since the last message: this limits how late a client gets a change whose message was lost.
    pub(crate) subscribed: Duration,
    /// While there is no subscription, or after a failed read.
    pub(crate) unsubscribed: Duration,
}

impl Default for ReadIntervals {
    /// One read every 5 s costs an idle stream next to nothing; without NATS, one read a second is still nearly live.
    fn default() -> Self {
        Self { subscribed: Duration::from_secs(5), unsubscribed: Duration::from_secs(1) }
    }
}

impl Live {
    /// At most `most` streams are open at a time.
    pub(crate) fn new(
        orders: Orders,
        updates: Arc<dyn Updates>,
        draining: CancellationToken,
        metrics: Metrics,
        intervals: ReadIntervals,
        most: usize,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(most));
        Self { orders, updates, draining, metrics, intervals, permits }
    }

    /// Opens the stream of an order, from the last event on that the client has; returns `None` if the order has ended and the
    /// client has every status. Fails with `Unavailable` if the maximum of streams is open: a stream lasts as long as its order,
    /// and each holds a connection and a subscription.
    pub(crate) async fn open(
        &self,
        customer: &CustomerId,
        order_id: &OrderId,
        last_event_id: Option<&str>,
    ) -> Result<Option<OrderStream>, Error> {
        let slot = self.slot()?;
        let messages = self.updates.subscribe(customer, order_id).await.ok();
        let order = self.orders.get(customer, order_id).await?;
        let revision = u32::try_from(order.history.len()).unwrap_or(u32::MAX);
        let cursor = Cursor::new(last_event_id, revision);
        if order.status.is_final() && cursor.has_sent(revision) {
            return Ok(None);
        }
        let live = self.clone();
        Ok(Some(OrderStream::new(live, customer.clone(), order, cursor, messages, slot)))
    }

    fn slot(&self) -> Result<Slot, Error> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            self.metrics.live_streams_refused_total.inc();
            let text = "the maximum of live streams is open";
            return Err(Error::new(Kind::Unavailable, text).reason("OVERLOADED"));
        };
        let gauge = self.metrics.live_streams.clone();
        gauge.inc();
        Ok(Slot { gauge, _permit: permit })
    }
}

/// The slot of an open stream: counted until it is dropped.
struct Slot {
    gauge: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}
