//! The use case: determine the outcome of charges whose answer was lost, and give them back.
//!
//! The order of such a charge is cancelled, since its customer cannot wait. So the third party is asked to void the charge by
//! its idempotency key: it gives back what it charged, and makes no charge with this key any more. Until it confirms, the
//! payment stays `unknown`. The wait between two attempts grows up to five minutes; after ten attempts the payment also counts
//! as unresolved, so that an operator looks at it. Attempts never end.

use std::{sync::Arc, time::Duration};

use chassis::{database::now, events::Publish, retry::Backoff, telemetry};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, instrument, warn};

use crate::{
    domain::{Pace, Payment, State},
    metrics::Metrics,
    outbound::{self, Provider},
    payments::Error,
    store::{Store, Unknown},
};

/// How often due charges are queried: short compared to the seconds that a third party takes to recover.
const SWEEP: Duration = Duration::from_millis(500);
/// The most charges per query: each is a call.
const BATCH: i64 = 20;
/// Attempts after which an operator should look: half an hour with the waits between them.
pub(crate) const UNRESOLVED_AFTER: i64 = 10;

/// The charges whose outcome is unknown.
pub(crate) struct Resolver {
    store: Store,
    provider: Provider,
    pace: Pace,
    metrics: Metrics,
}

impl Resolver {
    pub(crate) fn new(store: Store, provider: Provider, pace: Pace, metrics: Metrics) -> Self {
        Self { store, provider, pace, metrics }
    }

    /// Voids the charges that are due. Returns how many were due.
    pub(crate) async fn resolve_due(&self) -> Result<usize, Error> {
        let due = self.store.due(now(), BATCH).await?;
        for unknown in &due {
            // If this replica stops meanwhile, the next attempt resolves the charge.
            let next = self.pace.next_attempt(unknown.attempts, now());
            if !self.store.claim(unknown, next).await? {
                continue;
            }
            let context = telemetry::context_of(&unknown.traceparent);
            telemetry::in_context(&context, self.resolve(unknown)).await?;
        }
        self.count().await?;
        Ok(due.len())
    }

    async fn count(&self) -> Result<(), Error> {
        let (unknown, unresolved) = self.store.count_unknown(UNRESOLVED_AFTER).await?;
        self.metrics.unknown.set(unknown);
        self.metrics.unresolved.set(unresolved);
        Ok(())
    }

    #[instrument(name = "void charge", skip_all, fields(order.id = unknown.payment.order))]
    async fn resolve(&self, unknown: &Unknown) -> Result<(), Error> {
        let order = &unknown.payment.order;
        let voided = match self.provider.void(&unknown.key).await {
            Ok(voided) => voided,
            Err(cause) => {
                let attempts = unknown.attempts + 1;
                let error = &cause as &dyn std::error::Error;
                if attempts == UNRESOLVED_AFTER {
                    error!(
                        order.id = order,
                        attempts,
                        error,
                        "a charge is unresolved: nobody knows whether a cancelled order was charged"
                    );
                } else {
                    warn!(
                        order.id = order,
                        attempts,
                        error,
                        "a charge whose answer was lost cannot be voided, trying again"
                    );
                }
                return Ok(());
            }
        };
        let mut tx = self.store.begin("resolve payment").await?;
        let payment = Payment { state: State::resolved(voided), ..unknown.payment.clone() };
        // Another replica may have resolved it first.
        if !self.store.resolve(&mut tx, &payment).await? {
            return Ok(());
        }
        if let Some(event) = outbound::event(&payment).filter(|_| payment.state != State::Failed) {
            tx.publish(&event).await?;
        }
        let outcome = self.metrics.resolved_total.with_label_values(&[payment.state.word()]);
        tx.after_commit(move || {
            outcome.inc();
            info!(
                order.id = payment.order,
                "a charge whose answer was lost is {}",
                payment.state.word()
            );
        });
        Ok(tx.commit().await?)
    }
}

/// Voids charges when they are due.
pub(crate) async fn resolve(resolver: Arc<Resolver>) -> anyhow::Result<()> {
    let mut tick = interval(SWEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut outage: Option<Backoff> = None;
    loop {
        tick.tick().await;
        match resolver.resolve_due().await {
            Ok(_) => outage = None,
            Err(error) => {
                if outage.is_none() {
                    let error = &error as &dyn std::error::Error;
                    warn!(error, "charges whose answer was lost cannot be resolved, trying again");
                }
                outage.get_or_insert_with(|| Backoff::new(SWEEP, SWEEP * 10)).wait().await;
            }
        }
    }
}

/// The values of the label `outcome` of `resolved_total`.
pub(crate) const OUTCOMES: [&str; 2] = ["failed", "refunded"];
