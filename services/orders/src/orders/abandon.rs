//! Abandoning an order: its stock may be held, but it was not written.
//!
//! A client that got 503 or 504 may send its request again with the same key. So the order is abandoned only when no attempt to
//! place it has been made for a while.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chassis::retry::Backoff;
use parking_lot::Mutex;
use proto::values::{CustomerId, OrderId};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::Orders;
use crate::{domain::Order, error::Error};

/// How long after the last attempt to place an order it is abandoned: longer than one attempt reserves stock, and enough for
/// clients that repeat a request after the seconds of `Retry-After`. Short compared to the 15 minutes of a reservation.
pub(crate) const GRACE: Duration = Duration::from_secs(15);
/// The most orders that wait to be abandoned, at some 1 KB each with the task. Further orders are abandoned at once.
const MOST: usize = 5_000;
/// The first and the longest wait between attempts to abandon; the longest is short compared to the 15 minutes of a reservation.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The orders that could not be written, with the time of the last attempt.
pub(super) struct Unwritten {
    grace: Duration,
    last_attempts: Mutex<HashMap<OrderId, Instant>>,
}

impl Unwritten {
    pub(super) fn new(grace: Duration) -> Self {
        Self { grace, last_attempts: Mutex::default() }
    }

    /// An attempt to place an order begins. Postpones abandoning it if an earlier attempt failed.
    pub(super) fn attempt(&self, id: &OrderId) {
        if let Some(last) = self.last_attempts.lock().get_mut(id) {
            *last = Instant::now();
        }
    }

    /// An attempt failed. Returns `false` if an earlier attempt failed, too, so that the order already waits to be abandoned.
    fn add(&self, id: &OrderId) -> bool {
        let mut last_attempts = self.last_attempts.lock();
        let is_new = !last_attempts.contains_key(id);
        if !is_new || last_attempts.len() < MOST {
            last_attempts.insert(id.clone(), Instant::now());
        }
        is_new
    }

    /// Returns once no attempt has been made for the grace period, and forgets the order; at once for an order that did not fit.
    async fn given_up(&self, id: &OrderId) {
        while let Some(due) = self.due(id) {
            sleep_until(due).await;
        }
    }

    /// When the order is to be abandoned; `None` if that is now.
    fn due(&self, id: &OrderId) -> Option<Instant> {
        let mut last_attempts = self.last_attempts.lock();
        let due = *last_attempts.get(id)? + self.grace;
        if due > Instant::now() {
            return Some(due);
        }
        last_attempts.remove(id);
        None
    }
}

impl Orders {
    /// Abandons the order if no attempt to place it is made for the grace period; at once if the error is one that no
    /// repetition can mend. If the process ends before, the reservation expires.
    pub(super) fn abandon_later(self: &Arc<Self>, order: Order, may_be_repeated: bool) {
        let Order { id, customer, .. } = order;
        if may_be_repeated && !self.unwritten.add(&id) {
            return;
        }
        let orders = Arc::clone(self);
        self.detached.begin_until_drain(async move {
            if may_be_repeated {
                orders.unwritten.given_up(&id).await;
            }
            orders.abandon_unless_written(&id, &customer).await;
        });
    }

    /// Ensures that the order is not written later and its stock is released, unless it was written after all.
    async fn abandon_unless_written(&self, id: &OrderId, customer: &CustomerId) {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        let mut warned = false;
        while let Err(error) = self.try_to_abandon(id, customer).await {
            if !std::mem::replace(&mut warned, true) {
                let error = &error as &dyn std::error::Error;
                warn!(
                    order.id = %id,
                    error, "an order that was not written cannot be abandoned, trying again"
                );
            }
            backoff.wait().await;
        }
    }

    async fn try_to_abandon(&self, id: &OrderId, customer: &CustomerId) -> Result<(), Error> {
        if self.store.find(id).await?.is_some() {
            return Ok(());
        }
        let mut tx = self.store.begin("abandon order").await?;
        self.abandon(&mut tx, id, customer).await?;
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    fn id(number: usize) -> OrderId {
        OrderId::stored(number.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_is_given_up_a_while_after_the_last_attempt() {
        let unwritten = Unwritten::new(GRACE);
        assert!(unwritten.add(&id(1)));
        for _ in 0..10 {
            assert!(timeout(GRACE / 2, unwritten.given_up(&id(1))).await.is_err());
            unwritten.attempt(&id(1));
            assert!(!unwritten.add(&id(1)), "it waits already");
        }
        let began = Instant::now();
        unwritten.given_up(&id(1)).await;
        assert_eq!(began.elapsed().as_secs(), GRACE.as_secs());
        assert!(unwritten.add(&id(1)), "it was forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_that_does_not_fit_is_given_up_at_once() {
        let unwritten = Unwritten::new(GRACE);
        assert!((0..MOST).all(|number| unwritten.add(&id(number))));
        let began = Instant::now();
        assert!(unwritten.add(&id(MOST)));
        unwritten.given_up(&id(MOST)).await;
        assert!(began.elapsed() < Duration::from_millis(2));
        advance(GRACE).await;
        unwritten.given_up(&id(7)).await;
        assert!(unwritten.add(&id(MOST)) && !unwritten.add(&id(MOST)), "now it fits");
    }
}
