//! Series that exist before the first event is counted: an alert on an increase needs a value to increase from.
//! <https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics>

use super::{HistogramVec, IntCounterVec};

/// A metric with labels whose values are known in advance.
pub trait InitSeries {
    /// Creates the series with these label values, at zero.
    fn init_series<const N: usize>(&self, known: impl IntoIterator<Item = [&'static str; N]>);
}

impl InitSeries for IntCounterVec {
    fn init_series<const N: usize>(&self, known: impl IntoIterator<Item = [&'static str; N]>) {
        for values in known {
            self.with_label_values(&values);
        }
    }
}

impl InitSeries for HistogramVec {
    fn init_series<const N: usize>(&self, known: impl IntoIterator<Item = [&'static str; N]>) {
        for values in known {
            self.with(&values);
        }
    }
}

/// Every pair of a first and a second value.
pub fn each(
    first: &[&'static str],
    second: &[&'static str],
) -> impl IntoIterator<Item = [&'static str; 2]> {
    let pairs = first.iter().flat_map(|one| second.iter().map(move |two| [*one, *two]));
    pairs.collect::<Vec<_>>()
}

#[cfg(test)]
mod tests {
    use super::super::*;

    #[test]
    fn what_is_known_beforehand_is_there_at_zero() {
        let registry = Registry::new();
        let cups: IntCounterVec =
            registry.register("cups_total", "Cups.", &["tea", "size"]).unwrap();
        cups.init_series(each(&["assam", "sencha"], &["small"]));
        let waits: HistogramVec = registry.register("wait_seconds", "Waiting.", &["who"]).unwrap();
        waits.init_series([["ada"]]);
        let text = registry.text();
        assert!(text.contains("cups_total{size=\"small\",tea=\"sencha\"} 0\n"), "{text}");
        assert!(text.contains("wait_seconds_count{who=\"ada\"} 0\n"), "{text}");
    }
}
