//! The use cases: reserve stock, settle and expire reservations.

mod error;

use std::{collections::HashMap, time::Duration};

use chassis::{
    database::{self, Tx},
    events::Publish,
    telemetry::{self, Kept},
};
use tracing::{debug, info, instrument};
use uuid::Uuid;

use crate::{
    domain::{Change, Fate, Lines, Reservation, Shortage, State},
    events,
    metrics::Metrics,
    store::{self, Hold, Store},
};

pub(crate) use error::{Error, OUTCOMES};

/// The most expired holds that are read at once.
const BATCH: i64 = 100;

/// A request to reserve stock for an order.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) order: Uuid,
    pub(crate) customer: String,
    pub(crate) lines: Lines,
}

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

    /// Holds all lines or none. Returns when the hold expires, in microseconds since the Unix epoch.
    #[instrument(name = "reserve stock", skip_all, fields(order.id = %request.order))]
    pub(crate) async fn reserve(&self, request: &Request) -> Result<i64, Error> {
        let held = self.hold(request).await;
        let outcome = match &held {
            Ok((_, true)) => "held",
            Ok((_, false)) => "repeated",
            Err(error) => error.word(),
        };
        self.metrics.reservations_total.with_label_values(&[outcome]).inc();
        Ok(held?.0)
    }

    /// Returns when the hold expires, and whether it is new.
    async fn hold(&self, request: &Request) -> Result<(i64, bool), Error> {
        let Request { order, customer, lines } = request;
        let ttl = i64::try_from(self.ttl.as_micros()).unwrap_or(i64::MAX);
        let expires_at = database::now().saturating_add(ttl);
        let story = Kept::current();
        let mut tx = self.store.begin("write reservation").await?;
        let hold = Hold { order: *order, customer: customer.clone(), expires_at, story };
        if !store::add(&mut tx, &hold, lines).await? {
            // A reservation without lines is the mark of an order that was cancelled before.
            let known = store::find(&mut tx, *order).await?.ok_or(Error::Released(*order))?;
            return Ok((repeated(&known, lines)?, false));
        }
        // The stock is locked last: other transactions for the same product wait from here to the commit.
        let mut short = Vec::new();
        for (index, line) in lines.by_sku() {
            if !store::take(&mut tx, line).await? {
                let available = store::available(&mut tx, &line.sku).await?;
                short.push(Shortage { index, line: line.clone(), available });
            }
        }
        if !short.is_empty() {
            short.sort_unstable_by_key(|one| one.index);
            return Err(Error::Short(short));
        }
        tx.commit().await?;
        info!(order.id = %order, lines = lines.len(), "stock reserved");
        Ok((expires_at, true))
    }

    /// Changes a reservation as the order's fate demands. A repeated or outdated fate changes nothing.
    #[instrument(name = "settle reservation", skip_all, fields(order.id = %order))]
    pub(crate) async fn settle(
        &self,
        tx: &mut Tx,
        order: Uuid,
        customer: &str,
        fate: Fate,
    ) -> Result<(), Error> {
        let Some(known) = store::find(tx, order).await? else {
            return match fate {
                // Goods that were never reserved are about to be shipped: an operator must look.
                Fate::Paid => Err(Error::Unknown(order)),
                // The call that reserves for the order may still be on its way.
                Fate::Cancelled => Ok(store::refuse(tx, order, customer, database::now()).await?),
            };
        };
        let Some(change) = Change::decide(known.state, fate) else {
            debug!(order.id = %order, state = known.state.word(), ?fate, "nothing to change");
            return Ok(());
        };
        let now = database::now();
        if !store::settle(tx, &known, change, now).await? {
            return Err(Error::Changed(order));
        }
        tx.publish(&events::settled(order, &known.customer, change, now)).await?;
        for line in &known.lines {
            store::adjust(tx, &line.sku, change.delta(line.quantity)).await?;
        }
        let settled = self.metrics.settled_total.with_label_values(&[change.word()]);
        tx.after_commit(move || {
            settled.inc();
            info!(order.id = %order, change = change.word(), "reservation settled");
        });
        Ok(())
    }

    /// Publishes an event for each expired hold, in the trace of its order; each hold expires once, even if several replicas do
    /// this. Returns whether there may be more.
    pub(crate) async fn expire(&self) -> Result<bool, Error> {
        let due = self.store.due(database::now(), BATCH).await?;
        for hold in &due {
            telemetry::in_context(&hold.story.context(), self.expire_one(hold)).await?;
        }
        self.metrics.held.set(self.store.held().await?);
        Ok(i64::try_from(due.len()) == Ok(BATCH))
    }

    #[instrument(name = "expire reservation", skip_all, fields(order.id = %hold.order))]
    async fn expire_one(&self, hold: &Hold) -> Result<(), Error> {
        let now = database::now();
        let mut tx = self.store.begin("mark reservation expired").await?;
        // Another replica may have expired it, or the order was settled meanwhile.
        if store::expire(&mut tx, hold.order, now).await? {
            tx.publish(&events::expired(hold.order, &hold.customer, now)).await?;
            tx.commit().await?;
            self.metrics.expirations_total.inc();
            info!(order.id = %hold.order, "reservation expired");
        }
        Ok(())
    }

    /// The available pieces by SKU, without unknown products.
    pub(crate) async fn available(&self, skus: &[String]) -> Result<HashMap<String, i64>, Error> {
        Ok(self.store.available(skus).await?)
    }

    /// At most `limit` reservations after the one of `order`, ordered by the orders' ids.
    pub(crate) async fn after(
        &self,
        order: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Reservation>, Error> {
        Ok(self.store.after(order, limit).await?)
    }
}

/// The answer to a repeated request: the same as the first time.
fn repeated(known: &Reservation, lines: &Lines) -> Result<i64, Error> {
    if !lines.same_as(&known.lines) {
        return Err(Error::OtherLines(known.order));
    }
    match known.state {
        State::Held | State::Committed => Ok(known.expires_at),
        State::Released => Err(Error::Released(known.order)),
    }
}

#[cfg(test)]
#[path = "reservations/tests.rs"]
pub(crate) mod tests;
