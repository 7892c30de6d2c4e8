//! The use cases: reserve stock, settle and expire reservations.

use std::{collections::HashMap, time::Duration};

use chassis::{
    database::Tx,
    events::Publish,
    telemetry::{self, Kept},
};
use proto::values::{OrderId, Timestamp};
use tracing::{debug, info, instrument};

use crate::{
    domain::{Change, Item, Order, OrderOutcome, Request, Reservation, Shortage, State, by_sku},
    error::Error,
    events,
    metrics::Metrics,
    store::{Hold, Store},
};

/// The most expired holds that are read at once.
const BATCH: i64 = 100;

/// Reservations per page: all of them do not fit into memory.
pub(crate) const PAGE: i64 = 500;

/// The stock, and the orders' holds on it.
pub(crate) struct Reservations {
    store: Store,
    ttl: Duration,
    metrics: Metrics,
}

impl Reservations {
    pub(crate) fn new(store: Store, ttl: Duration, metrics: Metrics) -> Self {
        Self { store, ttl, metrics }
    }

    /// Holds all items or none. Returns when the hold expires.
    #[instrument(name = "reserve stock", skip_all, fields(order.id = %request.order))]
    pub(crate) async fn reserve(&self, request: &Request) -> Result<Timestamp, Error> {
        let held = self.hold(request).await;
        let outcome = match &held {
            Ok((_, true)) => "held",
            Ok((_, false)) => "repeated",
            Err(error) => error.as_str(),
        };
        self.metrics.reservations_total.with_label_values(&[outcome]).inc();
        Ok(held?.0)
    }

    /// Returns when the hold expires, and whether it is new.
    async fn hold(&self, request: &Request) -> Result<(Timestamp, bool), Error> {
        let Request { order, customer, items } = request;
        let hold = Hold {
            order: order.clone(),
            customer: customer.clone(),
            expires_at: Timestamp::now() + self.ttl,
            trace: Kept::current(),
        };
        let mut tx = self.store.begin("write reservation").await?;
        if !self.store.add(&mut tx, &hold, items).await? {
            // A reservation without items is the mark of an order that was cancelled before.
            let known = self.store.find(&mut tx, order).await?;
            let known = known.ok_or_else(|| Error::Released(order.clone()))?;
            return Ok((repeated(&known, items)?, false));
        }
        // The stock is locked last: other transactions for the same product wait from here to the commit.
        let mut short = Vec::new();
        for (index, item) in by_sku(items) {
            if !self.store.take(&mut tx, item).await? {
                let available = self.store.available_in(&mut tx, &item.sku).await?;
                short.push(Shortage { index, item: item.clone(), available });
            }
        }
        if !short.is_empty() {
            short.sort_unstable_by_key(|one| one.index);
            return Err(Error::Short(short));
        }
        tx.commit().await?;
        info!(order.id = %order, items = items.len(), "stock reserved");
        Ok((hold.expires_at, true))
    }

    /// Changes a reservation as the order's outcome requires. A repeated or outdated outcome changes nothing.
    #[instrument(name = "settle reservation", skip_all, fields(order.id = %order.id))]
    pub(crate) async fn settle(&self, tx: &mut Tx, order: Order) -> Result<(), Error> {
        let Order { id, customer, outcome } = order;
        let Some(known) = self.store.find(tx, &id).await? else {
            return match outcome {
                // Goods that were never reserved are about to be shipped: an operator must look.
                OrderOutcome::Paid => Err(Error::Unknown(id)),
                // The call that reserves for the order may still be on its way.
                OrderOutcome::Cancelled => {
                    Ok(self.store.refuse(tx, &id, &customer, Timestamp::now()).await?)
                }
            };
        };
        let Some(change) = Change::decide(known.state, outcome) else {
            debug!(order.id = %id, state = known.state.as_str(), ?outcome, "reservation unchanged");
            return Ok(());
        };
        let now = Timestamp::now();
        if !self.store.settle(tx, &known, change, now).await? {
            return Err(Error::Conflict(id));
        }
        tx.publish(&events::settled(&id, &known.customer, change, now)).await?;
        for item in &known.items {
            self.store.adjust(tx, &item.sku, change.delta(item.quantity.into())).await?;
        }
        let settled = self.metrics.settled_total.with_label_values(&[change.as_str()]);
        tx.after_commit(move || {
            settled.inc();
            info!(order.id = %id, change = change.as_str(), "reservation settled");
        });
        Ok(())
    }

    /// Publishes an event for each expired hold, in the trace of its order; each hold expires once, even if several replicas do
    /// this. Returns whether there may be more.
    pub(crate) async fn expire(&self) -> Result<bool, Error> {
        let due = self.store.due(Timestamp::now(), BATCH).await?;
        for hold in &due {
            telemetry::in_context(&hold.trace.context(), self.expire_one(hold)).await?;
        }
        self.metrics.held.set(self.store.held().await?);
        Ok(i64::try_from(due.len()) == Ok(BATCH))
    }

    #[instrument(name = "expire reservation", skip_all, fields(order.id = %hold.order))]
    async fn expire_one(&self, hold: &Hold) -> Result<(), Error> {
        let now = Timestamp::now();
        let mut tx = self.store.begin("mark reservation expired").await?;
        // Another replica may have expired it, or the order was settled meanwhile.
        if !self.store.expire(&mut tx, &hold.order, now).await? {
            return Ok(());
        }
        tx.publish(&events::expired(&hold.order, &hold.customer, now)).await?;
        let (order, expirations) = (hold.order.clone(), self.metrics.expirations_total.clone());
        tx.after_commit(move || {
            expirations.inc();
            info!(order.id = %order, "reservation expired");
        });
        Ok(tx.commit().await?)
    }

    /// The available pieces by SKU, without unknown products.
    pub(crate) async fn available(&self, skus: &[String]) -> Result<HashMap<String, i64>, Error> {
        Ok(self.store.available(skus).await?)
    }

    /// The reservations after that of `order`, ordered by the orders' ids.
    pub(crate) async fn after(&self, order: Option<OrderId>) -> Result<Vec<Reservation>, Error> {
        Ok(self.store.after(order, PAGE).await?)
    }
}

/// The result of a repeated request: the same as the first time.
fn repeated(known: &Reservation, items: &[Item]) -> Result<Timestamp, Error> {
    if !by_sku(items).into_iter().map(|(_, item)| item).eq(&known.items) {
        return Err(Error::OtherItems(known.order.clone()));
    }
    match known.state {
        State::Held | State::Committed => Ok(known.expires_at),
        State::Released => Err(Error::Released(known.order.clone())),
    }
}

#[cfg(test)]
#[path = "reservations/tests.rs"]
pub(crate) mod tests;
