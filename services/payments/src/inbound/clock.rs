//! The clock → [`Payments::resolve_due`].

use std::{sync::Arc, time::Duration};

use chassis::retry::Backoff;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::payments::Payments;

/// How often due charges are queried: short compared to the seconds that a third party takes to recover.
const INTERVAL: Duration = Duration::from_millis(500);

/// Voids the charges whose outcome is unknown when they are due, forever.
pub(crate) async fn resolve(payments: Arc<Payments>) -> anyhow::Result<()> {
    let mut tick = interval(INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut outage: Option<Backoff> = None;
    loop {
        tick.tick().await;
        match payments.resolve_due().await {
            Ok(_) => outage = None,
            Err(error) => {
                if outage.is_none() {
                    let error = &error as &dyn std::error::Error;
                    warn!(
                        error,
                        "charges whose response was lost cannot be resolved, trying again"
                    );
                }
                outage.get_or_insert_with(|| Backoff::new(INTERVAL, INTERVAL * 10)).wait().await;
            }
        }
    }
}
