//! The clock → [`Payments::resolve_due`].

use std::{sync::Arc, time::Duration};

use chassis::retry::every;

use crate::payments::Payments;

/// How often due charges are queried: short compared to the seconds that a third party takes to recover.
const INTERVAL: Duration = Duration::from_millis(500);

/// Voids the charges whose outcome is unknown when they are due, forever.
pub(crate) async fn resolve(payments: Arc<Payments>) -> anyhow::Result<()> {
    every(INTERVAL, "resolve unknown charges", || async {
        payments.resolve_due().await.map(|_| false)
    })
    .await
}
