//! The use cases: load, decide, act.

mod abandon;
mod place;

use std::time::Duration;

use chassis::{
    app::Detached,
    database::Tx,
    events::Publish,
    telemetry::{self, annotate},
};
use proto::values::{CustomerId, OrderId, Timestamp};
use tracing::{info, instrument};

use crate::{
    domain::{Fact, Order, Page, Progress, Reason, Report, Selection, Status, Step},
    error::Error,
    events,
    metrics::Metrics,
    outbound::{Catalog, Inventory},
    store::{Found, Store},
};

use abandon::Unwritten;

pub(crate) use abandon::GRACE;

/// Orders per page of the list of all orders: all of them do not fit into memory.
const PAGE: i64 = 500;

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
    ) -> Self {
        let unwritten = Unwritten::new(grace);
        Self { store, catalog, inventory, metrics, detached, unwritten }
    }

    /// An order of a customer.
    pub(crate) async fn get(&self, customer: &CustomerId, id: &OrderId) -> Result<Order, Error> {
        match self.store.find(id).await? {
            Some(Found::Order(order)) if order.customer == *customer => Ok(*order),
            _ => Err(Error::Unknown(id.clone())),
        }
    }

    /// A page of a customer's orders, newest first.
    pub(crate) async fn list(&self, selection: Selection) -> Result<Page, Error> {
        // One order more than the page has shows whether there is a next page.
        let found = self.store.list(&selection, selection.size + 1).await?;
        Ok(Page::new(found, selection.size))
    }

    /// A page of all orders after `id`, ordered by id.
    pub(crate) async fn after(&self, id: Option<OrderId>) -> Result<Vec<Order>, Error> {
        Ok(self.store.after(id, PAGE).await?)
    }

    /// Measures the number of open orders and the age of the oldest: an order that never ends is in no histogram of durations.
    pub(crate) async fn measure_open(&self) -> Result<(), Error> {
        let open = self.store.open_orders().await?;
        for status in Status::ALL.into_iter().filter(|status| !status.is_final()) {
            let of_it = open.iter().find(|group| group.status == status);
            let number = of_it.map_or(0, |group| group.number);
            self.metrics.orders_open.with_label_values(&[status.as_str()]).set(number);
        }
        let oldest = open.iter().map(|group| group.oldest_at).min();
        let age = oldest.map_or(Duration::ZERO, |at| Timestamp::now().since(at));
        self.metrics.orders_oldest_open_age_seconds.set(age.as_secs_f64());
        Ok(())
    }

    /// Cancels an order for its customer. The events belong to the order's trace, not to the request's.
    #[instrument(name = "cancel order", skip_all, fields(order.id = %id))]
    pub(crate) async fn cancel(&self, customer: &CustomerId, id: &OrderId) -> Result<Order, Error> {
        // If the order changed between reading and writing, the decision is made again.
        for _ in 0..ATTEMPTS {
            let mut order = self.get(customer, id).await?;
            if !order.progress.is_cancellable() {
                let is_repeated = order.progress.cancelled == Some(Reason::Customer);
                return if is_repeated {
                    Ok(order)
                } else {
                    Err(Error::NotCancellable { id: order.id, status: order.progress.status() })
                };
            }
            let mut tx = self.store.begin("cancel order").await?;
            let trace = order.trace.context();
            if self.apply(&mut tx, &mut order, Fact::CustomerCancelled, Some(&trace)).await? {
                tx.commit().await?;
                return Ok(order);
            }
        }
        Err(Error::Conflict(id.clone()))
    }

    /// Records a fact that another service reports about an order.
    #[instrument(name = "settle order", skip_all, fields(order.id = %report.order))]
    pub(crate) async fn settle(&self, tx: &mut Tx, report: Report) -> Result<(), Error> {
        let Report { order: id, customer, fact } = report;
        match self.store.find_in(tx, &id).await? {
            Some(Found::Order(mut order)) => match self.apply(tx, &mut order, fact, None).await? {
                true => Ok(()),
                false => Err(Error::Conflict(order.id)),
            },
            // Stock was reserved again after it was released, by a call that took longer than its caller waited.
            Some(Found::Abandoned) if fact == Fact::ReservationExpired => {
                Ok(tx.publish(&events::abandoned(&id, &customer, Timestamp::now())).await?)
            }
            Some(Found::Abandoned) => Ok(()),
            None if fact == Fact::ReservationExpired => self.abandon(tx, &id, &customer).await,
            // A payment or shipment of an unknown order: a service has lost its database, and an operator must look.
            None => Err(Error::Unknown(id)),
        }
    }

    /// The stock was reserved, but the order was never written: the caller got an error, or the process died. Releases the
    /// stock, and prevents the order from being written later.
    async fn abandon(&self, tx: &mut Tx, id: &OrderId, customer: &CustomerId) -> Result<(), Error> {
        if !self.store.abandon(tx, id, customer).await? {
            return Err(Error::Conflict(id.clone()));
        }
        tx.publish(&events::abandoned(id, customer, Timestamp::now())).await?;
        let id = id.clone();
        tx.after_commit(move || info!(order.id = %id, "reservation without an order released"));
        Ok(())
    }

    /// Records a fact and publishes the events that follow from it, in the current trace or in `trace`. Returns `false` if another
    /// transaction changed the order meanwhile.
    async fn apply(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        fact: Fact,
        trace: Option<&telemetry::Context>,
    ) -> Result<bool, Error> {
        let before = order.progress.clone();
        order.progress.record(fact, Timestamp::now());
        if order.progress == before {
            return Ok(true);
        }
        if !self.store.update(tx, &before, order).await? {
            return Ok(false);
        }
        for event in events::since(&before, order) {
            match trace {
                Some(trace) => tx.publish_in(trace, &event).await?,
                None => tx.publish(&event).await?,
            }
        }
        let (metrics, changed) = (self.metrics.clone(), Changed::new(&before, order));
        // Annotates now, since the span has ended when the transaction commits. If the commit fails, the span has failed, too.
        annotate("order.id", changed.id.to_string());
        if let Some(last) = changed.steps.last() {
            annotate("order.status", last.status.as_str());
        }
        tx.after_commit(move || changed.record(&metrics));
        Ok(true)
    }
}

/// What a transaction changed about an order, for metrics, log and span.
struct Changed {
    id: OrderId,
    /// The statuses that the order reached.
    steps: Vec<Step>,
    placed_at: Timestamp,
    reason: Option<&'static str>,
}

impl Changed {
    fn new(before: &Progress, order: &Order) -> Self {
        Self {
            id: order.id.clone(),
            steps: order.progress.since(before).to_vec(),
            placed_at: order.progress.placed_at(),
            reason: order.progress.cancelled.map(Reason::as_str),
        }
    }

    fn record(&self, metrics: &Metrics) {
        for step in &self.steps {
            metrics.orders_status_total.with_label_values(&[step.status.as_str()]).inc();
        }
        let Some(last) = self.steps.last() else { return };
        if let Some(reason) = self.reason {
            metrics.orders_cancelled_total.with_label_values(&[reason]).inc();
        }
        if last.status.is_final() {
            let (id, status, reason) = (&self.id, last.status.as_str(), self.reason);
            let seconds = last.at.since(self.placed_at).as_secs_f64();
            metrics.flow_duration_seconds.with(&[status]).observe(seconds);
            info!(order.id = %id, order.status = status, reason, seconds, "order settled");
        }
    }
}

/// The most times that a decision is made again: two concurrent changes of an order are rare, ten in a row are a bug.
const ATTEMPTS: usize = 10;
