//! `and`, `or` and `unless`: whether a series remains depends on the series of the other side with the same signature.

use std::collections::HashMap;

use crate::{
    Error, Labels,
    columns::{ABSENT, Merge, Row, is_present, merge},
    plan::{Grouping, SetOperator},
};

/// At which steps a signature has any series.
type Presence = HashMap<Labels, Vec<bool>>;

/// Applies a set operator.
///
/// # Errors
/// [`Error::Execution`] if two series of the result have the same labels.
pub(crate) fn apply(
    operator: SetOperator,
    left: Vec<Row>,
    right: Vec<Row>,
    on: &Grouping,
) -> Result<Vec<Row>, Error> {
    match operator {
        SetOperator::And => merge(retain(left, &presence(&right, on), on, true)),
        SetOperator::Unless => merge(retain(left, &presence(&right, on), on, false)),
        SetOperator::Or => {
            let right = retain(right, &presence(&left, on), on, false);
            let mut result = Merge::default();
            for row in left.into_iter().chain(right) {
                result.add(row)?;
            }
            Ok(result.into_rows())
        }
    }
}

fn presence(rows: &[Row], on: &Grouping) -> Presence {
    let mut presence = Presence::with_capacity(rows.len());
    for row in rows {
        let known =
            presence.entry(on.key(&row.labels)).or_insert_with(|| vec![false; row.values.len()]);
        for (known, value) in known.iter_mut().zip(&row.values) {
            *known |= is_present(*value);
        }
    }
    presence
}

/// Keeps the values at the steps at which the other side has the same signature, or has not.
fn retain(mut rows: Vec<Row>, other: &Presence, on: &Grouping, matches: bool) -> Vec<Row> {
    rows.retain_mut(|row| match other.get(&on.key(&row.labels)) {
        None => !matches,
        Some(present) => {
            for (value, present) in row.values.iter_mut().zip(present) {
                if *present != matches {
                    *value = ABSENT;
                }
            }
            row.values.iter().any(|value| is_present(*value))
        }
    });
    rows
}
