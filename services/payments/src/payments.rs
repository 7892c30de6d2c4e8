//! The use cases: call the third party, then settle the payment.

mod unknown;

use chassis::{database::Tx, events::Publish};
use proto::values::{Money, OrderId, Timestamp};
use tracing::{info, instrument, warn};

use crate::{
    domain::{Command, Conflict, Delays, Order, Outcome, Payment, ProviderCall, State},
    error::Error,
    events,
    metrics::Metrics,
    outbound::{Entry, Provider},
    store::Store,
};

#[cfg(test)]
pub(crate) use unknown::UNRESOLVED_AFTER;

/// The payments of all orders.
pub(crate) struct Payments {
    store: Store,
    provider: Provider,
    delays: Delays,
    metrics: Metrics,
}

impl Payments {
    pub(crate) fn new(store: Store, provider: Provider, delays: Delays, metrics: Metrics) -> Self {
        Self { store, provider, delays, metrics }
    }

    /// Calls the third party as the command needs it, outside of any transaction; with the same `key` this may be repeated.
    pub(crate) async fn call_provider(&self, key: &str, order: &Order) -> Result<Outcome, Error> {
        let mut state = self.store.state(&order.id).await?;
        if let ProviderCall::Prepare { amount } = order.command.provider_call(state.as_ref()) {
            state = self.prepare(key, order, amount).await?;
        }
        match order.command.provider_call(state.as_ref()) {
            ProviderCall::Charge { key, amount, token } => {
                self.charge(key, &order.id, amount, token).await
            }
            ProviderCall::Refund { charge } => self.refund(key, &order.id, charge).await,
            ProviderCall::Prepare { .. } => Err(Error::Conflict(order.id.clone())),
            ProviderCall::Nothing => Ok(Outcome::NotCalled),
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
            amount: Some(amount.clone()),
            state: State::Asking { key: key.to_owned() },
        };
        let mut tx = self.store.begin("prepare charge").await?;
        // The row may exist already: the event was delivered twice, or another replica was faster.
        self.store.insert(&mut tx, &payment).await?;
        tx.commit().await?;
        Ok(self.store.state(&order.id).await?)
    }

    #[instrument(name = "charge order", skip_all, fields(order.id = %order))]
    async fn charge(
        &self,
        key: &str,
        order: &OrderId,
        amount: &Money,
        token: &str,
    ) -> Result<Outcome, Error> {
        let response = self.provider.charge(key, order, amount, token).await;
        response.map_err(|cause| Error::Charge { order: order.clone(), cause })
    }

    #[instrument(name = "refund order", skip_all, fields(order.id = %order))]
    async fn refund(&self, key: &str, order: &OrderId, charge: &str) -> Result<Outcome, Error> {
        let done = self.provider.refund(key, charge).await;
        done.map_err(|cause| Error::Refund { order: order.clone(), cause })?;
        Ok(Outcome::Refunded)
    }

    /// Settles the command by the outcome of the call, and publishes the new state.
    #[instrument(name = "settle payment", skip_all, fields(order.id = %order.id))]
    pub(crate) async fn settle(
        &self,
        tx: &mut Tx,
        order: Order,
        outcome: Outcome,
    ) -> Result<(), Error> {
        let before = self.store.state_in(tx, &order.id).await?;
        let settled = order.command.settle(before.as_ref(), outcome);
        let settled = settled.map_err(|Conflict| Error::Conflict(order.id.clone()))?;
        let Some(state) = settled else { return Ok(()) };
        let Order { id, customer, command } = order;
        // If the order is cancelled, no service waits for another state than a refund.
        let is_published = command != Command::Cancel || matches!(state, State::Refunded { .. });
        let amount = match command {
            Command::Pay { amount, .. } => Some(amount),
            Command::Cancel => None,
        };
        let payment = Payment { order: id, customer, amount, state };
        let written = match &before {
            None => self.store.insert(tx, &payment).await?,
            Some(State::Asking { .. }) => {
                let is_unknown = matches!(payment.state, State::Unknown { .. });
                let resolve_at = is_unknown.then(|| self.delays.next_attempt(0, Timestamp::now()));
                self.store.settle(tx, &payment, resolve_at).await?
            }
            Some(_) => self.store.refund(tx, &payment.order).await?,
        };
        if !written {
            return Err(Error::Conflict(payment.order));
        }
        if let Some(event) = events::settled(&payment).filter(|_| is_published) {
            tx.publish(&event).await?;
        }
        let metrics = self.metrics.clone();
        tx.after_commit(move || record(&payment, &metrics));
        Ok(())
    }

    /// The payments after that of `order`, ordered by the orders' ids.
    pub(crate) async fn after(&self, order: Option<OrderId>) -> Result<Vec<Payment>, Error> {
        Ok(self.store.after(order).await?)
    }

    /// The charges in the third party's own ledger after the one with this number.
    pub(crate) async fn charges_after(&self, number: Option<i64>) -> Result<Vec<Entry>, Error> {
        Ok(self.provider.ledger(number.unwrap_or(0)).await?)
    }
}

/// Counts and logs a state that was committed.
fn record(Payment { order, state, .. }: &Payment, metrics: &Metrics) {
    let settled = |outcome: &State| metrics.settled_total.with_label_values(&[outcome.as_str()]);
    match state {
        State::Unknown { .. } => {
            settled(&State::Failed).inc();
            warn!(
                order.id = %order,
                "payment unknown: the third party may have charged, and its response was lost"
            );
        }
        State::Refunded { .. } => {
            metrics.refunds_total.inc();
            info!(order.id = %order, "payment refunded");
        }
        State::Declined { reason } => {
            settled(state).inc();
            info!(order.id = %order, reason, "payment declined");
        }
        State::Authorized { .. } | State::Failed => {
            settled(state).inc();
            info!(order.id = %order, "payment {}", state.as_str());
        }
        State::Asking { .. } | State::Void => {}
    }
}
