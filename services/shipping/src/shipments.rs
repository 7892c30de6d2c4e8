//! The use cases: an order is paid for or cancelled, a timer fires.

use std::{sync::Arc, time::Duration};

use chassis::{
    database::Tx,
    events::Publish,
    telemetry::{self, Kept},
};
use proto::values::{CustomerId, OrderId, Timestamp};
use tokio::sync::Notify;
use tracing::{Instrument, info, info_span, instrument};

use crate::{
    domain::{Delays, OrderOutcome, State},
    error::Error,
    events,
    metrics::Metrics,
    store::{Entry, Shipment, Store},
};

/// The most timers that fire in one transaction: many share a commit, but none waits long for it.
const BATCH: i64 = 64;

/// Shipments per page: few enough to fit in memory, many enough that the rows cost more than the query.
const PAGE: i64 = 500;

/// An order that was paid for or cancelled.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) outcome: OrderOutcome,
}

/// The shipments of all orders.
pub(crate) struct Shipments {
    store: Store,
    delays: Delays,
    metrics: Metrics,
    /// Notified when a timer was set, which may be the next to fire.
    timer_set: Arc<Notify>,
}

impl Shipments {
    pub(crate) fn new(store: Store, delays: Delays, metrics: Metrics) -> Self {
        Self { store, delays, metrics, timer_set: Arc::default() }
    }

    /// Schedules the shipment of an order that was paid for; cancels or returns the shipment of an order that was cancelled. A
    /// repeated outcome changes nothing.
    pub(crate) async fn settle(&self, tx: &mut Tx, order: Order) -> Result<(), Error> {
        let span = match order.outcome {
            OrderOutcome::Paid => info_span!("schedule shipment", order.id = %order.id),
            OrderOutcome::Cancelled => info_span!("cancel shipment", order.id = %order.id),
        };
        let settled = async {
            let before = self.store.state(tx, &order.id).await?;
            let Some(state) = State::after(before, order.outcome) else { return Ok(()) };
            let id = order.id.clone();
            let changed = self.change(tx, before, state, order.id, order.customer).await?;
            if changed { Ok(()) } else { Err(Error::Conflict(id)) }
        };
        settled.instrument(span).await
    }

    /// Fires the timers that are due. Returns how many there were.
    pub(crate) async fn fire(&self) -> Result<usize, Error> {
        let mut tx = self.store.begin("fire timers").await?;
        let due = self.store.due(&mut tx, Timestamp::now(), BATCH).await?;
        let fired = due.len();
        for (shipment, scheduled_at) in due {
            let context = shipment.trace.context();
            let change = async {
                match shipment.state.after_timer() {
                    Some(State::Dispatched) => self.dispatch(&mut tx, shipment, scheduled_at).await,
                    Some(State::Delivered) => self.deliver(&mut tx, shipment).await,
                    _ => Ok(()),
                }
            };
            telemetry::in_context(&context, change).await?;
        }
        tx.commit().await?;
        Ok(fired)
    }

    #[instrument(name = "dispatch shipment", skip_all, fields(order.id = %shipment.order))]
    async fn dispatch(
        &self,
        tx: &mut Tx,
        shipment: Shipment,
        scheduled_at: Timestamp,
    ) -> Result<(), Error> {
        let Shipment { order, customer, state, .. } = shipment;
        if self.change(tx, Some(state), State::Dispatched, order, customer).await? {
            let delay = self.metrics.dispatch_delay_seconds.clone();
            tx.after_commit(move || {
                delay.observe(Timestamp::now().since(scheduled_at).as_secs_f64());
            });
        }
        Ok(())
    }

    #[instrument(name = "deliver shipment", skip_all, fields(order.id = %shipment.order))]
    async fn deliver(&self, tx: &mut Tx, shipment: Shipment) -> Result<(), Error> {
        let Shipment { order, customer, state, .. } = shipment;
        self.change(tx, Some(state), State::Delivered, order, customer).await.map(drop)
    }

    /// Writes the new state and its timer, and publishes the event; returns `false` if another transaction changed the state
    /// first.
    async fn change(
        &self,
        tx: &mut Tx,
        before: Option<State>,
        state: State,
        order: OrderId,
        customer: CustomerId,
    ) -> Result<bool, Error> {
        let now = Timestamp::now();
        let due_at = self.delays.due(state, now);
        let shipment = Shipment { order, customer, state, due_at, trace: Kept::current() };
        let written = match before {
            None => self.store.add(tx, &shipment, now).await?,
            Some(before) => self.store.update(tx, before, &shipment, now).await?,
        };
        if !written {
            return Ok(false);
        }
        if let Some(event) = events::changed(&shipment, now) {
            tx.publish(&event).await?;
        }
        let (metrics, timer_set) = (self.metrics.clone(), Arc::clone(&self.timer_set));
        tx.after_commit(move || {
            // A void shipment is not counted, since there is no parcel.
            if state != State::Void {
                metrics.shipments_total.with_label_values(&[state.as_str()]).inc();
                info!(order.id = %shipment.order, "shipment {}", state.as_str());
            }
            if shipment.due_at.is_some() {
                timer_set.notify_one();
            }
        });
        Ok(true)
    }

    /// The time until the next timer fires; `None` without a timer.
    pub(crate) async fn until_due(&self) -> Result<Option<Duration>, Error> {
        Ok(self.store.next_due().await?.map(|due| due.since(Timestamp::now())))
    }

    /// Waits until a timer is set.
    pub(crate) async fn timer_set(&self) {
        self.timer_set.notified().await;
    }

    /// Updates the metric of pending timers.
    pub(crate) async fn measure(&self) -> Result<(), Error> {
        self.metrics.timers_pending.set(self.store.pending().await?);
        Ok(())
    }

    /// A page of the ledger, ordered by the orders' ids: the entries after this order, or the first ones.
    pub(crate) async fn after(&self, order: Option<OrderId>) -> Result<Vec<Entry>, Error> {
        Ok(self.store.page(order.as_ref(), PAGE).await?)
    }
}
