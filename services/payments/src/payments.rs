//! The use cases: call the third party, then settle.

use chassis::{
    Kind,
    database::{self, Tx},
    events::Publish,
};
use proto::limits::Violations;
use tracing::instrument;

use crate::{
    domain::{Answer, Errand, Money, Overtaken, Pace, Payment, State, Wish},
    metrics::Metrics,
    outbound::{self, Provider},
    store::Store,
};

/// An order, and what it asks of this service.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) wish: Wish,
}

/// Why a payment could not be handled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the event is malformed: {0}")]
    Malformed(&'static str),
    #[error("the event breaks limits")]
    Limits(#[from] Violations),
    #[error("charge order {order}")]
    Charge {
        order: String,
        #[source]
        cause: chassis::Error,
    },
    #[error("refund order {order}")]
    Refund {
        order: String,
        #[source]
        cause: chassis::Error,
    },
    #[error("the payment of order {0} was changed by somebody else meanwhile")]
    Overtaken(String),
    #[error("database")]
    Database(#[from] database::Error),
}

impl From<Error> for chassis::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Malformed(_) => Self::new(Kind::Invalid, text),
            Error::Limits(violations) => violations.into(),
            Error::Charge { cause, .. } | Error::Refund { cause, .. } => {
                Self::new(cause.kind(), text).source(cause)
            }
            Error::Overtaken(_) => Self::new(Kind::Conflict, text),
            Error::Database(cause) => cause.into(),
        }
    }
}

/// The payments of all orders.
pub(crate) struct Payments {
    store: Store,
    provider: Provider,
    pace: Pace,
    metrics: Metrics,
}

impl Payments {
    pub(crate) fn new(store: Store, provider: Provider, pace: Pace, metrics: Metrics) -> Self {
        Self { store, provider, pace, metrics }
    }

    /// Sends the third party the request that the wish needs, outside of any transaction; with the same `key` it may be
    /// repeated.
    pub(crate) async fn ask(&self, key: &str, order: &Order) -> Result<Answer, Error> {
        let mut state = self.store.peek(&order.id).await?;
        if let Errand::Prepare { amount } = order.wish.errand(state.as_ref()) {
            state = self.prepare(key, order, amount).await?;
        }
        match order.wish.errand(state.as_ref()) {
            Errand::Charge { key, amount, token } => {
                self.charge(key, &order.id, amount, token).await
            }
            Errand::Refund { charge } => self.refund(key, &order.id, charge).await,
            Errand::Prepare { .. } => Err(Error::Overtaken(order.id.clone())),
            Errand::Nothing => Ok(Answer::NotAsked),
        }
    }

    /// Writes the key of a charge before it is requested, in a transaction of its own. Returns the state after that.
    async fn prepare(
        &self,
        key: &str,
        order: &Order,
        amount: &Money,
    ) -> Result<Option<State>, Error> {
        let payment = Payment {
            order: order.id.clone(),
            customer: order.customer.clone(),
            amount: amount.clone(),
            state: State::Asking { key: key.to_owned() },
        };
        let mut tx = self.store.begin("prepare charge").await?;
        // The row may exist already: the event was delivered twice, or another replica was faster.
        self.store.insert(&mut tx, &payment).await?;
        tx.commit().await?;
        Ok(self.store.peek(&order.id).await?)
    }

    #[instrument(name = "charge order", skip_all, fields(order.id = order))]
    async fn charge(
        &self,
        key: &str,
        order: &str,
        amount: &Money,
        token: &str,
    ) -> Result<Answer, Error> {
        let answer = self.provider.charge(key, order, amount, token).await;
        answer.map_err(|cause| Error::Charge { order: order.to_owned(), cause })
    }

    #[instrument(name = "refund order", skip_all, fields(order.id = order))]
    async fn refund(&self, key: &str, order: &str, charge: &str) -> Result<Answer, Error> {
        let done = self.provider.refund(key, charge).await;
        done.map_err(|cause| Error::Refund { order: order.to_owned(), cause })?;
        Ok(Answer::Refunded)
    }

    /// Settles the wish by the answer, and publishes the new state.
    #[instrument(name = "settle payment", skip_all, fields(order.id = order.id))]
    pub(crate) async fn settle(
        &self,
        tx: &mut Tx,
        order: Order,
        answer: Answer,
    ) -> Result<(), Error> {
        let before = self.store.state(tx, &order.id).await?;
        let settled = order.wish.settle(before.as_ref(), answer);
        let settled = settled.map_err(|Overtaken| Error::Overtaken(order.id.clone()))?;
        let Some(state) = settled else { return Ok(()) };
        let Order { id, customer, wish } = order;
        // If the order is cancelled, only a refund is news.
        let news = wish != Wish::Cancel || matches!(state, State::Refunded { .. });
        let amount = match wish {
            Wish::Pay { amount, .. } => amount,
            Wish::Cancel => Money { currency: String::new(), minor: 0 },
        };
        let payment = Payment { order: id, customer, amount, state };
        let written = match &before {
            None => self.store.insert(tx, &payment).await?,
            Some(State::Asking { .. }) => {
                let resolve_at = match payment.state {
                    State::Unknown { .. } => Some(self.pace.next_attempt(0, database::now())),
                    _ => None,
                };
                self.store.settle(tx, &payment, resolve_at).await?
            }
            Some(_) => self.store.refund(tx, &payment.order).await?,
        };
        if !written {
            return Err(Error::Overtaken(payment.order));
        }
        if let Some(event) = outbound::event(&payment).filter(|_| news) {
            tx.publish(&event).await?;
        }
        let metrics = self.metrics.clone();
        tx.after_commit(move || told(&payment, &metrics));
        Ok(())
    }
}

fn told(payment: &Payment, metrics: &Metrics) {
    let Payment { order, state, .. } = payment;
    match state {
        State::Authorized { .. } => tracing::info!(order.id = order, "payment authorized"),
        State::Declined { reason } => tracing::info!(order.id = order, reason, "payment declined"),
        State::Unknown { .. } => {
            tracing::warn!(
                order.id = order,
                "payment unknown: the third party may have charged, and its answer was lost"
            )
        }
        State::Failed => tracing::info!(order.id = order, "payment failed"),
        State::Refunded { .. } => tracing::info!(order.id = order, "payment refunded"),
        State::Asking { .. } | State::Void => return,
    }
    match state {
        State::Refunded { .. } => metrics.refunds_total.inc(),
        State::Unknown { .. } => {
            metrics.settled_total.with_label_values(&[State::Failed.word()]).inc()
        }
        _ => metrics.settled_total.with_label_values(&[state.word()]).inc(),
    }
}
