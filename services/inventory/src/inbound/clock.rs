//! The clock → [`Reservations::expire`].

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::reservations::Reservations;

/// How late a hold may be told to have run out: little beside the minutes it lasts, and a look costs one short query.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks for expired holds, for ever. They are rows, so it does not matter which replica looks, or when it was started.
pub(crate) async fn expire(reservations: Arc<Reservations>) -> anyhow::Result<()> {
    loop {
        match reservations.expire().await {
            Ok(true) => {}
            Ok(false) => sleep(INTERVAL).await,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "expired reservations cannot be told, trying again"
                );
                sleep(INTERVAL).await;
            }
        }
    }
}
