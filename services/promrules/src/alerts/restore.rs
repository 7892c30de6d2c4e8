//! After a restart, an alert goes on pending where it was: its `ALERTS_FOR_STATE` in the storage says since when its condition
//! holds.

use std::time::Duration;

use promql::{Labels, METRIC_NAME, Query, Sample, Storage, Value, is_stale};

use super::{ALERT_NAME, Alerts, FOR_STATE, millis};
use crate::{rule::Alerting, snapshot::Alert};

/// How much of an outage is forgiven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    /// After a longer outage, nothing is restored.
    pub(crate) tolerance: Duration,
    /// An alert waits at least this long after the restart, and one with a shorter `for` waits for all of that.
    pub(crate) grace: Duration,
}

impl Alerts {
    /// Restores since when the conditions of the pending alerts hold.
    pub(crate) fn restore(
        &mut self,
        name: &str,
        rule: &Alerting,
        storage: &dyn Storage,
        at_ms: i64,
        outage: Outage,
        options: &promql::Options,
    ) -> Result<(), String> {
        if rule.hold < outage.grace || self.0.is_empty() {
            return Ok(());
        }
        let window = crate::duration::write(outage.tolerance);
        let name = name.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
        let text = format!("{FOR_STATE}{{{ALERT_NAME}=\"{name}\"}}[{window}]");
        let query = Query::parse(&text).map_err(|error| error.to_string())?;
        let known = query.instant(storage, at_ms, options).map_err(|error| error.to_string())?;
        let Value::Matrix(series) = known else { return Ok(()) };
        for series in series {
            let labels = series.labels.iter().filter(|(name, _)| **name != *METRIC_NAME);
            let alert = self.0.get_mut(&Labels::new(labels.cloned()));
            if let (Some(alert), Some(last)) = (alert, series.samples.last())
                && !is_stale(last.value)
            {
                alert.resume(*last, rule.hold, at_ms, outage.grace);
            }
        }
        Ok(())
    }
}

impl Alert {
    /// The time of the outage does not count as pending, and the alert does not fire within the grace period.
    fn resume(&mut self, last: Sample, hold: Duration, at_ms: i64, grace: Duration) {
        let active_at_ms = (last.value as i64).saturating_mul(1_000);
        let pending = last.at_ms.saturating_sub(active_at_ms);
        let remaining = millis(hold).saturating_sub(pending);
        self.active_at_ms = if remaining <= 0 {
            active_at_ms // it was firing
        } else if remaining < millis(grace) {
            at_ms + millis(grace) - millis(hold)
        } else {
            active_at_ms + (at_ms - last.at_ms)
        };
    }
}
