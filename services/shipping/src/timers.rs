//! Lets timers fire. They are rows, so they survive whoever sleeps for them.

use std::{sync::Arc, time::Duration};

use chassis::retry::Backoff;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::shipments::{Error, Shipments};

/// How long to sleep at most: another replica may have set a timer and died.
const SWEEP: Duration = Duration::from_secs(1);

/// How long to leave timers to the replica that is firing them: about one transaction.
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

/// Waits for the next timer, and fires what is due then.
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

/// Counts timers every now and then.
pub(crate) async fn count(shipments: Arc<Shipments>) -> anyhow::Result<()> {
    let mut tick = interval(SWEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        // In an outage the last number stands; that there is one, others tell.
        shipments.count().await.ok();
    }
}
