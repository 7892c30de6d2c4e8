//! The report at the end of a load.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Latencies in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Percentiles {
    /// The percentiles of a histogram of microseconds; `None` if it is empty.
    pub(super) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let ms = |microseconds: u64| microseconds as f64 / 1000.0;
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        Some(Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: ms(histogram.max()),
        })
    }
}

/// The results of a load.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The rate that was asked for, in orders per second.
    pub(crate) rate: f64,
    /// How long orders were sent, in seconds.
    pub(crate) duration: f64,
    pub(crate) sent: u64,
    pub(crate) accepted: u64,
    /// Requests that failed, by status code, or by what happened instead: `no connection`, `connection lost`, `no answer in
    /// time`, `not an order`, `nothing in stock`, and `not sent` for requests that were not even begun.
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) completed: u64,
    pub(crate) cancelled: u64,
    /// Orders that were accepted and did not end in time.
    pub(crate) unfinished: u64,
    /// Orders that were accepted and are unknown to the mesh afterwards.
    pub(crate) lost: u64,
    /// Two requests that became one order, or an order that ended in two ways.
    pub(crate) duplicates: u64,
    /// The time from when an order was meant to be sent until it was accepted; `None` if no order was.
    pub(crate) accepted_ms: Option<Percentiles>,
    /// The time from when an order was meant to be sent until it was completed; `None` if no order was.
    pub(crate) completed_ms: Option<Percentiles>,
}

impl Report {
    /// Whether the mesh kept its promises; a load without any accepted order proves nothing.
    pub(crate) fn is_good(&self) -> bool {
        let none_is_missing = self.unfinished == 0 && self.lost == 0;
        none_is_missing && self.duplicates == 0 && (self.accepted > 0 || self.sent == 0)
    }

    /// The report as lines of text.
    pub(crate) fn lines(&self) -> Vec<String> {
        let refused: u64 = self.refused.values().sum();
        let mut lines = vec![format!(
            "load: {} orders/s for {:.0} s: {} sent, {} accepted, {refused} refused; {} completed, {} cancelled, {} unfinished, {} lost, {} duplicates",
            self.rate,
            self.duration,
            self.sent,
            self.accepted,
            self.completed,
            self.cancelled,
            self.unfinished,
            self.lost,
            self.duplicates,
        )];
        for (what, ms) in [("accepted", &self.accepted_ms), ("completed", &self.completed_ms)] {
            let Some(ms) = ms else {
                lines.push(format!("{what:<9}  –"));
                continue;
            };
            lines.push(format!(
                "{what:<9}  p50 {:>8.2} ms  p90 {:>8.2} ms  p99 {:>8.2} ms  p99.9 {:>8.2} ms  max {:>8.2} ms",
                ms.p50, ms.p90, ms.p99, ms.p999, ms.max
            ));
        }
        lines.extend(self.refused.iter().map(|(why, count)| format!("refused    {why}: {count}")));
        lines
    }
}

/// A percentile as text.
pub(crate) fn milliseconds(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |ms| format!("{ms:.1} ms"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::load::tracker::OrderTracker;

    #[test]
    fn where_nothing_was_measured_there_is_no_number() {
        let mut tracker = OrderTracker::new();
        tracker.sent();
        tracker.refused("422".into());
        let report = tracker.report(1.0, Duration::from_secs(1));
        let lines = report.lines();
        assert_eq!(lines[1..], ["accepted   –", "completed  –", "refused    422: 1"]);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["accepted_ms"], &json["lost"]), (&serde_json::Value::Null, &0.into()));
        assert!(!report.is_good());
    }
}
