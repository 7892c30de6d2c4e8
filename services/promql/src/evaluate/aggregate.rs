//! Aggregations that reduce each group to one series.

use std::collections::HashMap;

use crate::{
    Error, Labels, METRIC_NAME,
    budget::Budget,
    columns::{ABSENT, Row, is_present},
    functions::{
        quantile::quantile as quantile_of,
        sum::{Mean, Sum},
    },
    plan::{Fold, Grouping},
};

impl Grouping {
    /// What distinguishes the group of a series from others: the labels of its result.
    pub(crate) fn key(&self, labels: &Labels) -> Labels {
        match self {
            Self::By(names) => labels.filter(|name| names.iter().any(|known| known == name)),
            Self::Without(names) => labels
                .filter(|name| name != METRIC_NAME && !names.iter().any(|known| known == name)),
        }
    }
}

/// The groups of series.
pub(crate) struct Groups {
    /// The group of each series.
    pub(crate) of_row: Vec<usize>,
    /// The labels of each group, in the order of their first series.
    pub(crate) labels: Vec<Labels>,
}

impl Groups {
    pub(crate) fn new(rows: &[Row], grouping: &Grouping) -> Self {
        let mut places = HashMap::new();
        let mut labels = Vec::new();
        let of_row = rows.iter().map(|row| {
            *places.entry(grouping.key(&row.labels)).or_insert_with_key(|key: &Labels| {
                labels.push(key.clone());
                labels.len() - 1
            })
        });
        let of_row = of_row.collect();
        Self { of_row, labels }
    }

    /// The places of the series of each group.
    pub(crate) fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.labels.len()];
        for (row, group) in self.of_row.iter().enumerate() {
            members[*group].push(row);
        }
        members
    }
}

/// Reduces each group by a [`Fold`].
///
/// # Errors
/// Those of the budget.
pub(crate) fn fold(
    fold: Fold,
    rows: &[Row],
    groups: Groups,
    steps: usize,
    budget: &Budget,
) -> Result<Vec<Row>, Error> {
    budget.take(groups.labels.len().saturating_mul(steps))?;
    Ok(match fold {
        Fold::Sum => each::<Sum>(rows, groups, steps),
        Fold::Average => each::<Mean>(rows, groups, steps),
        Fold::Min => each::<Min>(rows, groups, steps),
        Fold::Max => each::<Max>(rows, groups, steps),
        Fold::Count => each::<Count>(rows, groups, steps),
        Fold::Group => each::<Any>(rows, groups, steps),
        Fold::Stdvar => each::<Spread<false>>(rows, groups, steps),
        Fold::Stddev => each::<Spread<true>>(rows, groups, steps),
    })
}

/// What a fold keeps of the values that it has seen.
trait Seen: Clone {
    fn first(value: f64) -> Self;
    fn next(&mut self, value: f64);
    fn result(self) -> f64;
}

fn each<S: Seen>(rows: &[Row], groups: Groups, steps: usize) -> Vec<Row> {
    let mut seen: Vec<Vec<Option<S>>> = vec![vec![None; steps]; groups.labels.len()];
    for (row, group) in rows.iter().zip(&groups.of_row) {
        for (seen, value) in seen[*group].iter_mut().zip(&row.values) {
            if is_present(*value) {
                match seen {
                    Some(seen) => seen.next(*value),
                    None => *seen = Some(S::first(*value)),
                }
            }
        }
    }
    let row = |(labels, seen): (Labels, Vec<Option<S>>)| {
        let values = seen.into_iter().map(|seen| seen.map_or(ABSENT, S::result)).collect();
        Row { labels, values }
    };
    groups.labels.into_iter().zip(seen).map(row).collect()
}

impl Seen for Sum {
    fn first(value: f64) -> Self {
        Self::from(value)
    }
    fn next(&mut self, value: f64) {
        self.add(value);
    }
    fn result(self) -> f64 {
        self.total()
    }
}

impl Seen for Mean {
    fn first(value: f64) -> Self {
        let mut mean = Self::default();
        mean.add(value);
        mean
    }
    fn next(&mut self, value: f64) {
        self.add(value);
    }
    fn result(self) -> f64 {
        self.value()
    }
}

/// NaN is the result only if there is nothing else.
#[derive(Clone)]
struct Min(f64);

impl Seen for Min {
    fn first(value: f64) -> Self {
        Self(value)
    }
    fn next(&mut self, value: f64) {
        if self.0 > value || self.0.is_nan() {
            self.0 = value;
        }
    }
    fn result(self) -> f64 {
        self.0
    }
}

/// NaN is the result only if there is nothing else.
#[derive(Clone)]
struct Max(f64);

impl Seen for Max {
    fn first(value: f64) -> Self {
        Self(value)
    }
    fn next(&mut self, value: f64) {
        if self.0 < value || self.0.is_nan() {
            self.0 = value;
        }
    }
    fn result(self) -> f64 {
        self.0
    }
}

#[derive(Clone)]
struct Count(f64);

impl Seen for Count {
    fn first(_: f64) -> Self {
        Self(1.0)
    }
    fn next(&mut self, _: f64) {
        self.0 += 1.0;
    }
    fn result(self) -> f64 {
        self.0
    }
}

#[derive(Clone)]
struct Any;

impl Seen for Any {
    fn first(_: f64) -> Self {
        Self
    }
    fn next(&mut self, _: f64) {}
    fn result(self) -> f64 {
        1.0
    }
}

/// The variance by Welford's method, or its root. Here Prometheus does not compensate, other than in `stdvar_over_time`.
#[derive(Clone)]
struct Spread<const ROOT: bool> {
    count: f64,
    mean: f64,
    squares: f64,
}

impl<const ROOT: bool> Seen for Spread<ROOT> {
    fn first(value: f64) -> Self {
        let squares = if value.is_finite() { 0.0 } else { f64::NAN };
        Self { count: 1.0, mean: value, squares }
    }
    fn next(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }
    fn result(self) -> f64 {
        let variance = self.squares / self.count;
        if ROOT { variance.sqrt() } else { variance }
    }
}

/// The quantile of each group; `q` by step.
///
/// # Errors
/// Those of the budget.
pub(crate) fn quantile(
    q: &[f64],
    rows: &[Row],
    groups: Groups,
    budget: &Budget,
) -> Result<Vec<Row>, Error> {
    budget.take(groups.labels.len().saturating_mul(q.len()))?;
    let (members, mut present) = (groups.members(), Vec::new());
    let mut result = Vec::with_capacity(members.len());
    for (labels, members) in groups.labels.into_iter().zip(members) {
        budget.check_time()?;
        let value = |(step, q): (usize, &f64)| {
            present.clear();
            present.extend(
                members.iter().map(|row| rows[*row].values[step]).filter(|v| is_present(*v)),
            );
            if present.is_empty() { ABSENT } else { quantile_of(*q, &mut present) }
        };
        result.push(Row { labels, values: q.iter().enumerate().map(value).collect() });
    }
    Ok(result)
}
