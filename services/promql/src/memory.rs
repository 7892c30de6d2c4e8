//! A storage for tests: every sample in a vector.

use std::collections::BTreeMap;

use crate::{Error, Labels, Sample, Select, Storage, Visit};

/// A storage for tests and small amounts of data: every sample in a vector, found by looking at every series.
#[derive(Clone, Debug, Default)]
pub struct Memory(BTreeMap<Labels, Vec<Sample>>);

impl Memory {
    /// Adds a sample, which must be newer than the last one of its series; one of the same moment replaces it.
    pub fn append(&mut self, labels: &Labels, sample: Sample) {
        let samples = self.0.entry(labels.clone()).or_default();
        match samples.last_mut() {
            Some(last) if last.at_ms == sample.at_ms => *last = sample,
            _ => samples.push(sample),
        }
    }
}

impl Storage for Memory {
    fn select(&self, select: &Select<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        let matches = |labels: &Labels| {
            let fits = |matcher: &promql_parser::label::Matcher| {
                matcher.is_match(labels.get(&matcher.name))
            };
            let any_of = &select.matchers.or_matchers;
            select.matchers.matchers.iter().all(fits)
                && (any_of.is_empty() || any_of.iter().any(|all| all.iter().all(fits)))
        };
        for (labels, samples) in self.0.iter().filter(|(labels, _)| matches(labels)) {
            let from = samples.partition_point(|sample| sample.at_ms < select.from_ms);
            let to = samples.partition_point(|sample| sample.at_ms <= select.to_ms);
            if from < to {
                visit(labels, &samples[from..to])?;
            }
        }
        Ok(())
    }
}
