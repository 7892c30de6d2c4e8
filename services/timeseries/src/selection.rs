//! What a query reads of the targets.

use std::collections::{BTreeMap, HashSet};

use promql::{Error, Labels, Sample, Select, Visit};

use crate::{codec::ABSENT, rows::View, series::Found, target::Target};

/// The series of a target that match, and its rows in the time.
pub(crate) struct Selected {
    pub(crate) series: Vec<Found>,
    pub(crate) view: View,
}

impl Selected {
    pub(crate) fn of(target: &Target, select: &Select<'_>) -> Self {
        let series = target.series.matching(select.matchers);
        if series.is_empty() {
            return Self { series, view: View::default() };
        }
        Self { series, view: target.rows.view(select.from_ms, select.to_ms) }
    }
}

/// Calls `visit` for each series that has samples in the time.
///
/// # Errors
/// The first error of `visit`.
pub(crate) fn visit(
    selected: &[Selected],
    select: &Select<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), Error> {
    let repeated = repeated(selected);
    let mut several: BTreeMap<&Labels, Vec<Sample>> = BTreeMap::new();
    let (mut values, mut samples) = (Vec::new(), Vec::new());
    for Selected { series, view } in selected {
        let times = view.times();
        let from = times.partition_point(|at_ms| *at_ms < select.from_ms);
        let to = times.partition_point(|at_ms| *at_ms <= select.to_ms);
        for Found { number, labels, hash } in series {
            values.clear();
            view.read(*number, &mut values);
            samples.clear();
            let rows = times[from..to].iter().zip(&values[from..to]);
            let present = rows.filter(|(_, bits)| **bits != ABSENT);
            samples.extend(
                present.map(|(at_ms, bits)| Sample { at_ms: *at_ms, value: f64::from_bits(*bits) }),
            );
            if repeated.contains(hash) {
                several.entry(labels).or_default().append(&mut samples);
            } else if !samples.is_empty() {
                visit(labels, &samples)?;
            }
        }
    }
    for (labels, mut samples) in several {
        samples.sort_by_key(|sample| sample.at_ms);
        samples.dedup_by_key(|sample| sample.at_ms);
        if !samples.is_empty() {
            visit(labels, &samples)?;
        }
    }
    Ok(())
}

/// The hashes of series that several targets have, such as the results of two groups of rules.
fn repeated(selected: &[Selected]) -> HashSet<u64> {
    let with_series = selected.iter().filter(|selected| !selected.series.is_empty());
    if with_series.count() < 2 {
        return HashSet::new();
    }
    let series = selected.iter().flat_map(|selected| &selected.series);
    let mut hashes: Vec<_> = series.map(|found| found.hash).collect();
    hashes.sort_unstable();
    let pairs = hashes.windows(2).filter(|pair| pair[0] == pair[1]);
    pairs.map(|pair| pair[0]).collect()
}
