//! The use cases: an order is paid for or cancelled, a timer fires.

use std::{sync::Arc, time::Duration};

use chassis::{
    Kind,
    database::{self, Tx, now},
    events::Publish,
    telemetry::{self, Kept},
};
use proto::limits::Violations;
use tokio::sync::Notify;
use tracing::instrument;

use crate::{
    domain::{News, Pace, State},
    metrics::Metrics,
    outbound,
    store::{Shipment, Store},
};

/// The most timers that fire in one transaction: many share a commit, but none waits long for it.
const BATCH: i64 = 64;

/// Why a shipment could not change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the event breaks limits")]
    Limits(#[from] Violations),
    #[error("the shipment of order {0} was changed by somebody else meanwhile")]
    Overtaken(String),
    #[error("database")]
    Database(#[from] database::Error),
}

impl From<Error> for chassis::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Limits(violations) => violations.into(),
            Error::Overtaken(_) => Self::new(Kind::Conflict, text),
            Error::Database(cause) => cause.into(),
        }
    }
}

/// The shipments of all orders.
pub(crate) struct Shipments {
    store: Store,
    pace: Pace,
    metrics: Metrics,
    /// Notified when a timer was set, which may be the next to fire.
    set: Arc<Notify>,
}

impl Shipments {
    pub(crate) fn new(store: Store, pace: Pace, metrics: Metrics) -> Self {
        Self { store, pace, metrics, set: Arc::default() }
    }

    #[instrument(name = "schedule shipment", skip_all, fields(order.id = order))]
    pub(crate) async fn schedule(
        &self,
        tx: &mut Tx,
        order: &str,
        customer: &str,
    ) -> Result<(), Error> {
        self.hear(tx, order, customer, News::Paid).await
    }

    #[instrument(name = "cancel shipment", skip_all, fields(order.id = order))]
    pub(crate) async fn cancel(
        &self,
        tx: &mut Tx,
        order: &str,
        customer: &str,
    ) -> Result<(), Error> {
        self.hear(tx, order, customer, News::Cancelled).await
    }

    async fn hear(
        &self,
        tx: &mut Tx,
        order: &str,
        customer: &str,
        news: News,
    ) -> Result<(), Error> {
        let before = self.store.state(tx, order).await?;
        let Some(state) = State::after(before, news) else { return Ok(()) };
        if self.enter(tx, before, state, order, customer).await? {
            Ok(())
        } else {
            Err(Error::Overtaken(order.to_owned()))
        }
    }

    /// Fires the timers that are due. Returns how many there were.
    pub(crate) async fn fire(&self) -> Result<usize, Error> {
        let mut tx = self.store.begin("fire timers").await?;
        let due = self.store.due(&mut tx, BATCH).await?;
        for (shipment, scheduled_at) in &due {
            let context = shipment.story.context();
            let fired = async {
                match shipment.state.after_timer() {
                    Some(State::Dispatched) => {
                        self.dispatch(&mut tx, shipment, *scheduled_at).await
                    }
                    Some(State::Delivered) => self.deliver(&mut tx, shipment).await,
                    _ => Ok(()),
                }
            };
            telemetry::in_context(&context, fired).await?;
        }
        tx.commit().await?;
        Ok(due.len())
    }

    #[instrument(name = "dispatch shipment", skip_all, fields(order.id = shipment.order))]
    async fn dispatch(
        &self,
        tx: &mut Tx,
        shipment: &Shipment,
        scheduled_at: i64,
    ) -> Result<(), Error> {
        let Shipment { order, customer, state, .. } = shipment;
        if self.enter(tx, Some(*state), State::Dispatched, order, customer).await? {
            let delay = self.metrics.dispatch_delay_seconds.clone();
            tx.after_commit(move || delay.observe(micros(now() - scheduled_at).as_secs_f64()));
        }
        Ok(())
    }

    #[instrument(name = "deliver shipment", skip_all, fields(order.id = shipment.order))]
    async fn deliver(&self, tx: &mut Tx, shipment: &Shipment) -> Result<(), Error> {
        let Shipment { order, customer, state, .. } = shipment;
        self.enter(tx, Some(*state), State::Delivered, order, customer).await.map(drop)
    }

    /// Writes the new state and its timer, and publishes the event; `false` if another transaction changed the state first.
    async fn enter(
        &self,
        tx: &mut Tx,
        before: Option<State>,
        state: State,
        order: &str,
        customer: &str,
    ) -> Result<bool, Error> {
        let shipment = Shipment {
            order: order.to_owned(),
            customer: customer.to_owned(),
            state,
            due_at: self.pace.due(state, now()),
            story: Kept::current(),
        };
        if !self.store.write(tx, before, &shipment).await? {
            return Ok(false);
        }
        if let Some(event) = outbound::event(&shipment) {
            tx.publish(&event).await?;
        }
        let (metrics, set) = (self.metrics.clone(), Arc::clone(&self.set));
        tx.after_commit(move || {
            // A void shipment is not counted, since there is no parcel.
            if state != State::Void {
                metrics.shipments_total.with_label_values(&[state.word()]).inc();
                tracing::info!(order.id = shipment.order, "shipment {}", state.word());
            }
            if shipment.due_at.is_some() {
                set.notify_one();
            }
        });
        Ok(true)
    }

    /// The time until the next timer fires; `None` without a timer.
    pub(crate) async fn until_due(&self) -> Result<Option<Duration>, Error> {
        Ok(self.store.next_due().await?.map(|due| micros(due - now())))
    }

    /// Waits until a timer is set.
    pub(crate) async fn timer_set(&self) {
        self.set.notified().await;
    }

    /// Measures the number of pending timers.
    pub(crate) async fn count(&self) -> Result<(), Error> {
        self.metrics.timers_pending.set(self.store.pending().await?);
        Ok(())
    }
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(micros.max(0).unsigned_abs())
}
