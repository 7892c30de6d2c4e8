//! Values at all steps of an evaluation at once: one column a series, one value a step.

use std::collections::HashMap;

use crate::{Error, Labels, STALE, is_stale};

/// The value of a step at which a series has none. No sample that a query sees has it.
pub(crate) const ABSENT: f64 = STALE;

/// Whether a series has a value at a step.
pub(crate) fn is_present(value: f64) -> bool {
    !is_stale(value)
}

/// The steps of an evaluation; an instant query has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    pub(crate) first_ms: i64,
    pub(crate) step_ms: i64,
    pub(crate) count: usize,
}

impl Steps {
    /// The moment of a step.
    pub(crate) fn at(self, step: usize) -> i64 {
        self.first_ms + self.step_ms * step as i64
    }

    /// The last moment; before the first if there is no step.
    pub(crate) fn last_ms(self) -> i64 {
        self.first_ms + self.step_ms * (self.count as i64 - 1)
    }
}

/// A series: its labels, and its values by step.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) labels: Labels,
    pub(crate) values: Vec<f64>,
}

/// The result of an expression.
#[derive(Clone, Debug)]
pub(crate) enum Columns {
    /// A number a step; each is present.
    Scalar(Vec<f64>),
    /// Any number of series; their labels differ.
    Vector(Vec<Row>),
}

impl Columns {
    /// The number of samples that the result holds.
    pub(crate) fn samples(&self) -> usize {
        match self {
            Self::Scalar(values) => values.len(),
            Self::Vector(rows) => rows.iter().map(|row| row.values.len()).sum(),
        }
    }
}

/// The error of two series that an operation gave the same labels.
pub(crate) fn same_labels() -> Error {
    Error::Execution("vector cannot contain metrics with the same labelset".to_owned())
}

/// Collects series whose labels may have become equal: they become one series, unless both have a value at the same step.
#[derive(Default)]
pub(crate) struct Merge {
    rows: Vec<Row>,
    places: HashMap<Labels, usize>,
}

impl Merge {
    /// Adds a series and returns its place in the result.
    ///
    /// # Errors
    /// [`Error::Execution`] if two series with these labels have a value at the same step.
    pub(crate) fn add(&mut self, row: Row) -> Result<usize, Error> {
        let place = *self.places.entry(row.labels.clone()).or_insert(self.rows.len());
        let Some(known) = self.rows.get_mut(place) else {
            self.rows.push(row);
            return Ok(place);
        };
        for (known, value) in known.values.iter_mut().zip(row.values) {
            match (is_present(*known), is_present(value)) {
                (true, true) => return Err(same_labels()),
                (false, true) => *known = value,
                (_, false) => {}
            }
        }
        Ok(place)
    }

    /// The place of the series with these labels.
    pub(crate) fn place(&self, labels: &Labels) -> Option<usize> {
        self.places.get(labels).copied()
    }

    /// The series, in the order of their first appearance.
    pub(crate) fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

/// Merges series whose labels may have become equal.
///
/// # Errors
/// [`Error::Execution`] if two series with the same labels have a value at the same step.
pub(crate) fn merge(rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    let mut merge = Merge::default();
    for row in rows {
        merge.add(row)?;
    }
    Ok(merge.into_rows())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_with_the_same_labels_are_merged_unless_they_overlap() {
        let row = |values: &[f64]| Row { labels: Labels::empty(), values: values.to_vec() };
        let merged = merge(vec![row(&[1.0, ABSENT]), row(&[ABSENT, 2.0])]).unwrap();
        assert_eq!(merged[0].values, [1.0, 2.0]);
        assert_eq!(merge(vec![row(&[1.0]), row(&[1.0])]).unwrap_err(), same_labels());
    }
}
