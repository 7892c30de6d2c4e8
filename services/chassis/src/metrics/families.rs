//! The families of metrics that exist, also those that have no samples yet.

use std::fmt;

use prometheus::proto::{MetricFamily, MetricType};

/// One metric: its name, type and labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Family {
    /// The metric's name; a histogram's name without `_bucket`, `_sum`, `_count`.
    pub name: String,
    /// `counter`, `gauge`, `histogram`.
    pub kind: &'static str,
    /// The names of the labels, sorted; a histogram's without `le`.
    pub labels: Vec<String>,
}

impl Family {
    pub(super) fn new(name: &str, kind: &'static str, labels: &[&str]) -> Self {
        let mut labels: Vec<_> = labels.iter().map(|label| (*label).to_owned()).collect();
        labels.sort();
        Self { name: name.to_owned(), kind, labels }
    }

    /// The family of a collector that is not from this crate: known only once the collector has returned a sample.
    fn of(gathered: &MetricFamily) -> Option<Self> {
        let kind = match gathered.get_field_type() {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            _ => return None,
        };
        let labels = gathered.get_metric().first()?.get_label();
        let labels: Vec<_> = labels.iter().map(|label| label.name()).collect();
        Some(Self::new(gathered.name(), kind, &labels))
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind)?;
        self.labels.iter().try_for_each(|label| write!(f, " {label}"))
    }
}

pub(super) fn all(declared: &[Family], gathered: &[MetricFamily]) -> Vec<Family> {
    let mut all = declared.to_vec();
    let others = gathered
        .iter()
        .filter(|gathered| !declared.iter().any(|family| family.name == gathered.name()));
    all.extend(others.filter_map(Family::of));
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::super::*;

    #[test]
    fn what_was_never_counted_is_known_too() {
        let registry = Registry::new();
        let _: IntCounterVec = registry.register("cups_total", "Cups.", &["tea", "size"]).unwrap();
        let _: HistogramVec = registry.register("wait_seconds", "Waiting.", &["who"]).unwrap();
        registry.add(IntGauge::new("guests", "Guests.").unwrap()).unwrap();
        let families: Vec<_> = registry.families().iter().map(ToString::to_string).collect();
        let expected =
            ["cups_total counter size tea", "guests gauge", "wait_seconds histogram who"];
        assert_eq!(families, expected);
    }
}
