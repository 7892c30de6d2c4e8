//! The clock → [`Reservations::expire`].

use std::{sync::Arc, time::Duration};

use chassis::retry::every;

use crate::reservations::Reservations;

/// How late the event of an expired hold may be: short compared to the minutes of a hold, and each run costs one short query.
const INTERVAL: Duration = Duration::from_secs(1);

/// Expires holds, forever. Holds are rows, so it does not matter which replica does it, or when that replica was started.
pub(crate) async fn expire(reservations: Arc<Reservations>) -> anyhow::Result<()> {
    every(INTERVAL, "expire reservations", || reservations.expire()).await
}
