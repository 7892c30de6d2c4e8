//! Fires timers. Timers are rows, so they survive the process that waits for them.

use std::{sync::Arc, time::Duration};

use chassis::retry::Backoff;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::shipments::{Error, Shipments};

/// The longest sleep: another replica may have set a timer and died.
const SWEEP: Duration = Duration::from_secs(1);

/// How long to wait if the due timers are being fired by another replica: about one transaction.
const ELSEWHERE: Duration = Duration::from_millis(5);

/// Fires timers as they are due.
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
                "timers cannot fire, trying on"
            );
        }
        outage.get_or_insert_with(|| Backoff::new(Duration::from_millis(50), SWEEP)).wait().await;
    }
}

/// Waits for the next timer, or fires the timers that are due.
async fn next(shipments: &Shipments) -> Result<(), Error> {
    let wait = shipments.until_due().await?.unwrap_or(SWEEP).min(SWEEP);
    if wait.is_zero() {
        if shipments.fire().await? == 0 {
            sleep(ELSEWHERE).await;
        }
        return Ok(());
    }
    tokio::select! {
        () = sleep(wait) => {}
        () = shipments.timer_set() => {}
    }
    Ok(())
}

/// Measures the number of pending timers at each interval.
pub(crate) async fn count(shipments: Arc<Shipments>) -> anyhow::Result<()> {
    let mut tick = interval(SWEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        // In an outage the last number stays; other metrics show the outage.
        shipments.count().await.ok();
    }
}
