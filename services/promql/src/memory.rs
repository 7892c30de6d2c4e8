//! A storage for tests: every sample in a vector.

use std::{collections::BTreeMap, sync::Arc};

use promql_parser::label::{MatchOp, Matcher, Matchers};

use crate::{Error, Labels, METRIC_NAME, Sample, Select, Storage, Visit};

/// A storage for tests and small amounts of data: every sample in a vector, found by looking at every series of a metric.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The series of each metric; a query without a name looks at all of them.
    metrics: BTreeMap<Arc<str>, BTreeMap<Labels, Vec<Sample>>>,
}

impl Memory {
    /// Adds a sample, which must be newer than the last one of its series; one of the same moment replaces it.
    pub fn append(&mut self, labels: &Labels, sample: Sample) {
        let series = match self.metrics.get_mut(labels.metric_name()) {
            Some(series) => series,
            None => self.metrics.entry(labels.metric_name().into()).or_default(),
        };
        let samples = match series.get_mut(labels) {
            Some(samples) => samples,
            None => series.entry(labels.clone()).or_default(),
        };
        match samples.last_mut() {
            Some(last) if last.at_ms == sample.at_ms => *last = sample,
            _ => samples.push(sample),
        }
    }

    /// The series that can match: those of one metric, if the name is given.
    fn candidates(&self, matchers: &Matchers) -> impl Iterator<Item = (&Labels, &Vec<Sample>)> {
        let named =
            |matcher: &&Matcher| matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal;
        let name = matchers.matchers.iter().find(named).map(|matcher| matcher.value.as_str());
        let one = name.map(|name| self.metrics.get(name));
        let all = one.is_none().then(|| self.metrics.values());
        one.flatten().into_iter().chain(all.into_iter().flatten()).flatten()
    }
}

impl Storage for Memory {
    fn select(&self, select: &Select<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        let matches = |labels: &Labels| {
            let fits = |matcher: &Matcher| matcher.is_match(labels.get(&matcher.name));
            let any_of = &select.matchers.or_matchers;
            select.matchers.matchers.iter().all(fits)
                && (any_of.is_empty() || any_of.iter().any(|all| all.iter().all(fits)))
        };
        for (labels, samples) in self.candidates(select.matchers) {
            if !matches(labels) {
                continue;
            }
            let from = samples.partition_point(|sample| sample.at_ms < select.from_ms);
            let to = samples.partition_point(|sample| sample.at_ms <= select.to_ms);
            if from < to {
                visit(labels, &samples[from..to])?;
            }
        }
        Ok(())
    }
}
