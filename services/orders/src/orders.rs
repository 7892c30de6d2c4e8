//! The use cases: load, decide, act.

mod abandon;
mod error;
mod place;

use std::{sync::Arc, time::Duration};

use chassis::{
    app::Detached,
    database::{self, Tx},
    events::Publish,
    telemetry::{self, Kept, annotate},
};
use tracing::{info, instrument};

use crate::{
    domain::{Fact, Order, Progress, Reason, Status, Step},
    events,
    metrics::Metrics,
    outbound::{Catalog, Inventory},
    store::{self, After, Found, Store},
};

use abandon::Unwritten;

pub(crate) use abandon::GRACE;
pub(crate) use error::{Error, REFUSALS};

/// Takes orders, and settles them when facts arrive.
pub(crate) struct Orders {
    store: Store,
    catalog: Catalog,
    inventory: Inventory,
    metrics: Metrics,
    /// Runs the placing of an order from the reservation of its stock on.
    detached: Detached,
    unwritten: Unwritten,
}

impl Orders {
    /// `grace` is how long after the last attempt to place an order it is abandoned.
    pub(crate) fn new(
        store: Store,
        catalog: Catalog,
        inventory: Inventory,
        metrics: Metrics,
        detached: Detached,
        grace: Duration,
    ) -> Arc<Self> {
        let unwritten = Unwritten::new(grace);
        Arc::new(Self { store, catalog, inventory, metrics, detached, unwritten })
    }

    /// An order of a customer.
    pub(crate) async fn get(&self, customer: &str, id: &str) -> Result<Order, Error> {
        match self.store.find(id).await? {
            Some(Found::Order(order)) if order.customer == customer => Ok(*order),
            _ => Err(Error::Unknown(id.to_owned())),
        }
    }

    /// A customer's orders, newest first.
    pub(crate) async fn list(
        &self,
        customer: &str,
        status: Option<Status>,
        after: Option<After>,
        limit: i64,
    ) -> Result<Vec<Order>, Error> {
        Ok(self.store.list(customer, status, after, limit).await?)
    }

    /// A page of all orders after `id`, ordered by id.
    pub(crate) async fn all_after(&self, id: &str, limit: i64) -> Result<Vec<Order>, Error> {
        Ok(self.store.all_after(id, limit).await?)
    }

    /// Measures the number of open orders and the age of the oldest: an order that never ends is in no histogram of durations.
    pub(crate) async fn measure_open(&self) -> Result<(), Error> {
        let open = self.store.open_orders().await?;
        for status in Status::ALL.into_iter().filter(|status| !status.is_final()) {
            let of_it = open.iter().find(|group| group.status == status);
            let number = of_it.map_or(0, |group| group.number);
            self.metrics.orders_open.with_label_values(&[status.word()]).set(number);
        }
        let oldest = open.iter().map(|group| group.oldest_at).min();
        let age = oldest.map_or(0, |at| database::now().saturating_sub(at).max(0));
        self.metrics.orders_oldest_open_age_seconds.set(age as f64 / 1e6);
        Ok(())
    }

    /// Cancels an order for its customer. The events belong to the order's trace, not to the request's.
    #[instrument(name = "cancel order", skip_all, fields(order.id = id))]
    pub(crate) async fn cancel(&self, customer: &str, id: &str) -> Result<Order, Error> {
        // If the order changed between reading and writing, the decision is made again.
        for _ in 0..ATTEMPTS {
            let mut order = self.get(customer, id).await?;
            if !order.progress.is_cancellable() {
                let known = order.progress.cancelled == Some(Reason::Customer);
                return if known {
                    Ok(order)
                } else {
                    Err(Error::NotCancellable { id: order.id, status: order.progress.status() })
                };
            }
            let mut tx = self.store.begin("cancel order").await?;
            let story = story_of(&order).context();
            if self.apply(&mut tx, &mut order, Fact::CustomerCancelled, Some(&story)).await? {
                tx.commit().await?;
                return Ok(order);
            }
        }
        Err(Error::Changed(id.to_owned()))
    }

    /// Records a fact that another service reports about an order.
    #[instrument(name = "settle order", skip_all, fields(order.id = id))]
    pub(crate) async fn settle(
        &self,
        tx: &mut Tx,
        id: &str,
        customer: &str,
        fact: Fact,
    ) -> Result<(), Error> {
        match store::find_in(tx, id).await? {
            Some(Found::Order(mut order)) => match self.apply(tx, &mut order, fact, None).await? {
                true => Ok(()),
                false => Err(Error::Changed(order.id)),
            },
            // Stock was reserved again after it was released, by a call that took longer than its caller waited.
            Some(Found::Abandoned) if fact == Fact::ReservationExpired => {
                Ok(tx.publish(&events::abandoned(id, customer, database::now())).await?)
            }
            Some(Found::Abandoned) => Ok(()),
            None if fact == Fact::ReservationExpired => self.abandon(tx, id, customer).await,
            // A payment or shipment of an unknown order: a service has lost its database, and an operator must look.
            None => Err(Error::Unknown(id.to_owned())),
        }
    }

    /// The stock was reserved, but the order was never written: the caller got an error, or the process died. Releases the
    /// stock, and prevents the order from being written later.
    async fn abandon(&self, tx: &mut Tx, id: &str, customer: &str) -> Result<(), Error> {
        if !store::abandon(tx, id, customer).await? {
            return Err(Error::Changed(id.to_owned()));
        }
        tx.publish(&events::abandoned(id, customer, database::now())).await?;
        let id = id.to_owned();
        tx.after_commit(move || info!(order.id = id, "reservation without an order released"));
        Ok(())
    }

    /// `false` if the order was changed by another transaction meanwhile.
    async fn apply(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        fact: Fact,
        story: Option<&telemetry::Context>,
    ) -> Result<bool, Error> {
        let before = order.progress.clone();
        order.progress.learn(fact, database::now());
        if order.progress == before {
            return Ok(true);
        }
        if !store::update(tx, &before, order).await? {
            return Ok(false);
        }
        for event in events::since(&before, order) {
            match story {
                Some(story) => tx.publish_in(story, &event).await?,
                None => tx.publish(&event).await?,
            }
        }
        let (metrics, changed) = (self.metrics.clone(), Changed::new(&before, order));
        // Annotates now, since the span has ended when the transaction commits. If the commit fails, the span has failed, too.
        annotate("order.id", changed.id.clone());
        if let Some(last) = changed.steps.last() {
            annotate("order.status", last.status.word());
        }
        tx.after_commit(move || changed.record(&metrics));
        Ok(true)
    }
}

/// What a transaction changed about an order, for metrics, log and span.
struct Changed {
    id: String,
    /// The statuses that the order reached.
    steps: Vec<Step>,
    placed_at: i64,
    reason: Option<&'static str>,
}

impl Changed {
    fn new(before: &Progress, order: &Order) -> Self {
        let history = &order.progress.history;
        Self {
            id: order.id.clone(),
            steps: history.iter().skip(before.revision()).copied().collect(),
            placed_at: history.first().map_or(0, |step| step.at),
            reason: order.progress.cancelled.map(Reason::word),
        }
    }

    fn record(&self, metrics: &Metrics) {
        for step in &self.steps {
            metrics.orders_status_total.with_label_values(&[step.status.word()]).inc();
        }
        let Some(last) = self.steps.last() else { return };
        if let Some(reason) = self.reason {
            metrics.orders_cancelled_total.with_label_values(&[reason]).inc();
        }
        if last.status.is_final() {
            let (id, status, reason) = (&self.id, last.status.word(), self.reason);
            let seconds = (last.at - self.placed_at) as f64 / 1e6;
            metrics.flow_duration_seconds.with(&[status]).observe(seconds);
            info!(order.id = id, order.status = status, reason, seconds, "order settled");
        }
    }
}

/// The most times that a decision is made again: two concurrent changes of an order are rare, ten in a row are a mistake.
const ATTEMPTS: usize = 10;

/// The context of the order's trace.
fn story_of(order: &Order) -> Kept {
    Kept {
        traceparent: Some(order.traceparent.clone()),
        tracestate: order.tracestate.clone(),
        baggage: order.baggage.clone(),
    }
}
