//! Selectors: from samples to columns, one series at a time, so that the samples of few series are in memory at once.

use std::collections::HashSet;

use promql_parser::label::Matchers;

use crate::{
    Error, Labels, Sample, Select, Storage,
    budget::Budget,
    columns::{ABSENT, Row, Steps, same_labels},
    functions::window::{RangeFunction, Window},
    is_stale,
};

/// The moments at which a selector looks: the steps, shifted by `offset` and `@`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    pub(crate) steps: Steps,
    /// The moment of `@`, which all steps share.
    pub(crate) fixed_ms: Option<i64>,
    pub(crate) offset_ms: i64,
}

impl Moments {
    fn at(self, step: usize) -> i64 {
        self.fixed_ms.unwrap_or_else(|| self.steps.at(step)) - self.offset_ms
    }

    /// The earliest moment.
    pub(crate) fn first_ms(self) -> i64 {
        self.at(0)
    }

    /// The latest moment.
    pub(crate) fn last_ms(self) -> i64 {
        self.fixed_ms.unwrap_or_else(|| self.steps.last_ms()) - self.offset_ms
    }
}

/// What an instant selector yields of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yields {
    Value,
    /// The sample's moment in seconds.
    Timestamp,
}

/// The last sample of each series at each step, if it is younger than `lookback_ms` and does not end the series.
///
/// # Errors
/// Those of the budget and of the storage.
pub(crate) fn instant(
    storage: &dyn Storage,
    matchers: &Matchers,
    moments: Moments,
    lookback_ms: i64,
    yields: Yields,
    budget: &Budget,
) -> Result<Vec<Row>, Error> {
    let from_ms = moments.first_ms() - lookback_ms + 1;
    let select = Select { matchers, from_ms, to_ms: moments.last_ms() };
    let mut rows = Vec::new();
    storage.select(&select, &mut |labels, samples| {
        budget.check_time()?;
        let mut seen = 0;
        let last = |step| {
            let at_ms = moments.at(step);
            seen += samples[seen..].iter().take_while(|sample| sample.at_ms <= at_ms).count();
            match seen.checked_sub(1).map(|place| samples[place]) {
                Some(last) if last.at_ms > at_ms - lookback_ms && !is_stale(last.value) => {
                    match yields {
                        Yields::Value => last.value,
                        Yields::Timestamp => last.at_ms as f64 / 1000.0,
                    }
                }
                _ => ABSENT,
            }
        };
        let values: Vec<_> = (0..moments.steps.count).map(last).collect();
        if values.iter().any(|value| !is_stale(*value)) {
            budget.take(values.len())?;
            rows.push(Row { labels: labels.clone(), values });
        }
        Ok(())
    })?;
    Ok(rows)
}

/// A function of the samples in a window before each step, and its scalar arguments by step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windowed<'a> {
    pub(crate) function: RangeFunction,
    pub(crate) range_ms: i64,
    pub(crate) moments: Moments,
    pub(crate) args: &'a [Vec<f64>],
}

impl Windowed<'_> {
    /// Applies the function to series of a storage.
    ///
    /// # Errors
    /// Those of the budget and of the storage.
    pub(crate) fn of_series(
        &self,
        storage: &dyn Storage,
        matchers: &Matchers,
        budget: &Budget,
    ) -> Result<Vec<Row>, Error> {
        let from_ms = self.moments.first_ms() - self.range_ms + 1;
        let select = Select { matchers, from_ms, to_ms: self.moments.last_ms() };
        let (mut rows, mut live) = (Vec::new(), Vec::new());
        storage.select(&select, &mut |labels, samples| {
            budget.check_time()?;
            let samples = without_stale(samples, &mut live);
            rows.extend(self.row(labels, samples, budget)?);
            Ok(())
        })?;
        distinct(rows)
    }

    /// Applies the function to the series of a subquery.
    ///
    /// # Errors
    /// Those of the budget.
    pub(crate) fn of_rows(
        &self,
        inner: &[Row],
        steps: Steps,
        budget: &Budget,
    ) -> Result<Vec<Row>, Error> {
        let (mut rows, mut samples) = (Vec::new(), Vec::new());
        for row in inner {
            budget.check_time()?;
            samples.clear();
            samples.extend(samples_of(row, steps));
            rows.extend(self.row(&row.labels, &samples, budget)?);
        }
        distinct(rows)
    }

    /// The values of one series; none if the function has no value at any step.
    fn row(
        &self,
        labels: &Labels,
        samples: &[Sample],
        budget: &Budget,
    ) -> Result<Option<Row>, Error> {
        let count = self.moments.steps.count;
        let mut args = vec![0.0; self.args.len()];
        let restarts = Restarts::of(samples);
        let mut values = vec![ABSENT; count];
        let (mut from, mut to, mut any) = (0, 0, false);
        for (step, value) in values.iter_mut().enumerate() {
            let end_ms = self.moments.at(step);
            let start_ms = end_ms - self.range_ms;
            to += samples[to..].iter().take_while(|sample| sample.at_ms <= end_ms).count();
            from += samples[from..].iter().take_while(|sample| sample.at_ms <= start_ms).count();
            if from >= to {
                continue;
            }
            for (arg, column) in args.iter_mut().zip(self.args) {
                *arg = column[step];
            }
            let at_ms = self.moments.steps.at(step);
            let restarts = restarts.between(from, to);
            let window = Window { start_ms, end_ms, at_ms, args: &args, restarts };
            if let Some(result) = (self.function.call)(&samples[from..to], &window) {
                (*value, any) = (result, true);
            }
        }
        if !any {
            return Ok(None);
        }
        budget.take(count)?;
        let labels = if self.function.keeps_name { labels.clone() } else { labels.without_name() };
        Ok(Some(Row { labels, values }))
    }
}

/// Where a counter restarted. Found once for a series, it need not be looked for in each of its windows.
struct Restarts {
    /// The places of the samples that are smaller than those before them.
    places: Vec<usize>,
    /// The values before them.
    before: Vec<f64>,
}

impl Restarts {
    fn of(samples: &[Sample]) -> Self {
        let pairs = samples.windows(2).enumerate();
        let restarts = pairs.filter(|(_, pair)| pair[1].value < pair[0].value);
        let (places, before) = restarts.map(|(place, pair)| (place + 1, pair[0].value)).unzip();
        Self { places, before }
    }

    /// The values before the restarts between the samples of a window.
    fn between(&self, from: usize, to: usize) -> &[f64] {
        let first = self.places.partition_point(|place| *place <= from);
        let end = self.places.partition_point(|place| *place < to);
        &self.before[first..end.max(first)]
    }
}

/// Samples of a subquery's series.
pub(crate) fn samples_of(row: &Row, steps: Steps) -> impl Iterator<Item = Sample> + '_ {
    let sample =
        move |(step, value): (usize, &f64)| Sample { at_ms: steps.at(step), value: *value };
    row.values.iter().enumerate().map(sample).filter(|sample| !is_stale(sample.value))
}

/// The samples that end no series: `samples` themselves if that are all, otherwise a copy in `live`.
pub(crate) fn without_stale<'a>(samples: &'a [Sample], live: &'a mut Vec<Sample>) -> &'a [Sample] {
    if !samples.iter().any(|sample| is_stale(sample.value)) {
        return samples;
    }
    live.clear();
    live.extend(samples.iter().filter(|sample| !is_stale(sample.value)));
    live
}

/// Refuses series that have the same labels, even at different steps, as Prometheus does for functions of a range.
fn distinct(rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    let mut seen = HashSet::with_capacity(rows.len());
    if rows.iter().all(|row| seen.insert(&row.labels)) { Ok(rows) } else { Err(same_labels()) }
}
