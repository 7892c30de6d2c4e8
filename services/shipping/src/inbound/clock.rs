//! The clock → [`Shipments::fire`]. Timers are rows, so they survive the process that waits for them.

use std::{sync::Arc, time::Duration};

use chassis::retry::Backoff;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{error::Error, shipments::Shipments};

/// The longest sleep: another replica may have set a timer and died.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// How long to wait while another replica fires the due timers: about one transaction.
const LOCKED: Duration = Duration::from_millis(5);

/// Fires timers when they are due, forever.
pub(crate) async fn fire(shipments: Arc<Shipments>) -> anyhow::Result<()> {
    let mut outage: Option<Backoff> = None;
    loop {
        let Err(error) = next(&shipments).await else {
            outage = None;
            continue;
        };
        if outage.is_none() {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "timers cannot fire, trying again"
            );
        }
        outage
            .get_or_insert_with(|| Backoff::new(Duration::from_millis(50), LONGEST_SLEEP))
            .wait()
            .await;
    }
}

/// Waits for the next timer, or fires the timers that are due.
async fn next(shipments: &Shipments) -> Result<(), Error> {
    let wait = shipments.until_due().await?.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
    if wait.is_zero() {
        if shipments.fire().await? == 0 {
            sleep(LOCKED).await;
        }
        return Ok(());
    }
    tokio::select! {
        () = sleep(wait) => {}
        () = shipments.timer_set() => {}
    }
    Ok(())
}

/// Updates the metric of pending timers at an interval, forever.
pub(crate) async fn measure(shipments: Arc<Shipments>) -> anyhow::Result<()> {
    let mut tick = interval(LONGEST_SLEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        // In an outage the last number stays; other metrics show the outage.
        shipments.measure().await.ok();
    }
}
