//! Functions of whole vectors: `absent`, `scalar`, histograms and labels.

use std::collections::HashMap;

use crate::{
    Error, Labels,
    budget::Budget,
    columns::{ABSENT, Row, is_present, merge},
};

/// 1 at the steps at which no series has a value.
pub(crate) fn absent(rows: &[Row], labels: &Labels, steps: usize) -> Vec<Row> {
    let mut values = vec![1.0; steps];
    for row in rows {
        for (value, known) in values.iter_mut().zip(&row.values) {
            if is_present(*known) {
                *value = ABSENT;
            }
        }
    }
    if values.iter().all(|value| !is_present(*value)) {
        return Vec::new();
    }
    vec![Row { labels: labels.clone(), values }]
}

/// The value of the only series at each step; NaN if there are none or several.
pub(crate) fn scalar(rows: &[Row], steps: usize) -> Vec<f64> {
    let mut only = vec![None; steps];
    for row in rows {
        for (only, value) in only.iter_mut().zip(&row.values) {
            if is_present(*value) {
                *only = Some(if only.is_none() { *value } else { f64::NAN });
            }
        }
    }
    only.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

/// The buckets of a histogram: upper bounds and counts by step.
type Buckets<'a> = Vec<(f64, &'a [f64])>;

/// Computes a value for each classic histogram from its buckets: pairs of the upper bound and the count.
///
/// # Errors
/// Those of the budget; [`Error::Execution`] if two histograms differ only by their names.
pub(crate) fn of_histograms(
    rows: &[Row],
    steps: usize,
    budget: &Budget,
    compute: impl Fn(usize, &mut [(f64, f64)]) -> f64,
) -> Result<Vec<Row>, Error> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut histograms: Vec<(Labels, Buckets<'_>)> = Vec::new();
    for row in rows {
        // A series without a bound is no bucket.
        let Ok(bound) = row.labels.get("le").parse() else { continue };
        let labels = row.labels.filter(|name| name != "le");
        let place = *places.entry(labels.clone()).or_insert(histograms.len());
        if place == histograms.len() {
            histograms.push((labels, Vec::new()));
        }
        histograms[place].1.push((bound, &row.values));
    }
    budget.take(histograms.len().saturating_mul(steps))?;
    let (mut result, mut buckets) = (Vec::with_capacity(histograms.len()), Vec::new());
    for (labels, mut columns) in histograms {
        budget.check_time()?;
        columns.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let value = |step: usize| {
            buckets.clear();
            let counts = columns.iter().map(|(bound, column)| (*bound, column[step]));
            buckets.extend(counts.filter(|(_, count)| is_present(*count)));
            if buckets.is_empty() { ABSENT } else { compute(step, &mut buckets) }
        };
        let values = (0..steps).map(value).collect();
        result.push(Row { labels: labels.without_name(), values });
    }
    merge(result)
}

/// Rewrites the labels of each series.
///
/// # Errors
/// [`Error::Execution`] if two series that become one have a value at the same step.
pub(crate) fn relabel(
    rows: Vec<Row>,
    rewrite: impl Fn(&Labels) -> Labels,
) -> Result<Vec<Row>, Error> {
    let relabelled = |row: Row| Row { labels: rewrite(&row.labels), values: row.values };
    merge(rows.into_iter().map(relabelled).collect())
}
