//! Determines the outcome of charges whose response was lost, and refunds them.
//!
//! The order of such a charge is cancelled, since its customer cannot wait. So the third party is asked to void the charge by
//! its idempotency key: it refunds what it charged, and makes no charge with this key any more. Until it confirms, the
//! payment stays `unknown`. The wait between two attempts grows up to five minutes; after ten attempts the payment also counts
//! as unresolved, so that an operator looks at it. Attempts never end.

use chassis::{events::Publish, telemetry};
use proto::values::Timestamp;
use tracing::{error, info, instrument, warn};

use super::Payments;
use crate::{
    domain::{Payment, State},
    error::Error,
    events,
    store::UnknownCharge,
};

/// The most charges per query: each is a call.
const BATCH: i64 = 20;
/// Attempts after which an operator should look: half an hour with the waits between them.
pub(crate) const UNRESOLVED_AFTER: i64 = 10;

impl Payments {
    /// Voids the charges that are due. Returns how many were due.
    pub(crate) async fn resolve_due(&self) -> Result<usize, Error> {
        let due = self.store.due(Timestamp::now(), BATCH).await?;
        for unknown in &due {
            // If this replica stops meanwhile, the next attempt resolves the charge.
            let next = self.delays.next_attempt(unknown.attempts, Timestamp::now());
            if !self.store.claim(unknown, next).await? {
                continue;
            }
            let context = telemetry::context_of(&unknown.traceparent);
            telemetry::in_context(&context, self.resolve(unknown)).await?;
        }
        let (unknown, unresolved) = self.store.count_unknown(UNRESOLVED_AFTER).await?;
        self.metrics.unknown.set(unknown);
        self.metrics.unresolved.set(unresolved);
        Ok(due.len())
    }

    #[instrument(name = "void charge", skip_all, fields(order.id = %unknown.payment.order))]
    async fn resolve(&self, unknown: &UnknownCharge) -> Result<(), Error> {
        let voided = match self.provider.void(&unknown.key).await {
            Ok(voided) => voided,
            Err(error) => {
                warn_unresolved(unknown, &error);
                return Ok(());
            }
        };
        let mut tx = self.store.begin("resolve payment").await?;
        let payment = Payment { state: State::resolved(voided), ..unknown.payment.clone() };
        // Another replica may have resolved it first.
        if !self.store.resolve(&mut tx, &payment).await? {
            return Ok(());
        }
        // The order was cancelled when its charge became unknown; only a refund is new to other services.
        if let Some(event) = events::settled(&payment).filter(|_| payment.state != State::Failed) {
            tx.publish(&event).await?;
        }
        let resolved = self.metrics.resolved_total.with_label_values(&[payment.state.as_str()]);
        tx.after_commit(move || {
            resolved.inc();
            let (order, state) = (payment.order, payment.state.as_str());
            info!(order.id = %order, "a charge whose response was lost is {state}");
        });
        Ok(tx.commit().await?)
    }
}

fn warn_unresolved(unknown: &UnknownCharge, error: &chassis::Error) {
    let (order, attempts) = (&unknown.payment.order, unknown.attempts + 1);
    let error = error as &dyn std::error::Error;
    if attempts == UNRESOLVED_AFTER {
        error!(order.id = %order, attempts, error, "a charge is unresolved: a cancelled order may have been charged");
    } else {
        warn!(order.id = %order, attempts, error, "a charge whose response was lost cannot be voided, trying again");
    }
}
