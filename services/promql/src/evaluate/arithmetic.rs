//! Operators between numbers: of two scalars, or of a scalar and a vector.

use crate::{
    Error,
    columns::{ABSENT, Row, is_present, merge},
    plan::Operator,
};

/// What an operator does with two numbers.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// A new number.
    Computes(fn(f64, f64) -> f64),
    /// 0 or 1.
    Tests(fn(f64, f64) -> bool),
    /// The left number, or nothing.
    Filters(fn(f64, f64) -> bool),
}

impl Rule {
    pub(crate) fn new(operator: Operator, returns_bool: bool) -> Self {
        let compare = if returns_bool { Self::Tests } else { Self::Filters };
        match operator {
            Operator::Add => Self::Computes(|a, b| a + b),
            Operator::Subtract => Self::Computes(|a, b| a - b),
            Operator::Multiply => Self::Computes(|a, b| a * b),
            Operator::Divide => Self::Computes(|a, b| a / b),
            Operator::Modulo => Self::Computes(|a, b| a % b),
            Operator::Power => Self::Computes(f64::powf),
            Operator::Atan2 => Self::Computes(f64::atan2),
            Operator::Equal => compare(|a, b| a == b),
            Operator::NotEqual => compare(|a, b| a != b),
            Operator::Greater => compare(|a, b| a > b),
            Operator::Less => compare(|a, b| a < b),
            Operator::GreaterOrEqual => compare(|a, b| a >= b),
            Operator::LessOrEqual => compare(|a, b| a <= b),
        }
    }

    /// Whether the result is no longer what the metric's name says.
    pub(crate) fn drops_name(self) -> bool {
        !matches!(self, Self::Filters(_))
    }

    /// The result for two present numbers; a filter that holds yields `kept`.
    pub(crate) fn apply(self, left: f64, right: f64, kept: f64) -> f64 {
        match self {
            Self::Computes(compute) => compute(left, right),
            Self::Tests(holds) => f64::from(u8::from(holds(left, right))),
            Self::Filters(holds) => {
                if holds(left, right) {
                    kept
                } else {
                    ABSENT
                }
            }
        }
    }
}

/// Where the scalar stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Applies an operator to two scalars.
pub(crate) fn scalars(rule: Rule, mut left: Vec<f64>, right: &[f64]) -> Vec<f64> {
    for (left, right) in left.iter_mut().zip(right) {
        *left = rule.apply(*left, *right, *left);
    }
    left
}

/// Applies an operator to a vector on its left and a scalar.
///
/// # Errors
/// [`Error::Execution`] if several series become one.
pub(crate) fn vector_scalar(rule: Rule, rows: Vec<Row>, scalar: &[f64]) -> Result<Vec<Row>, Error> {
    with_scalar(rule, rows, scalar, Side::Right)
}

/// Applies an operator to a scalar on its left and a vector.
///
/// # Errors
/// [`Error::Execution`] if several series become one.
pub(crate) fn scalar_vector(rule: Rule, scalar: &[f64], rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    with_scalar(rule, rows, scalar, Side::Left)
}

fn with_scalar(rule: Rule, rows: Vec<Row>, scalar: &[f64], side: Side) -> Result<Vec<Row>, Error> {
    map(rows, rule.drops_name(), |step, value| match side {
        Side::Left => rule.apply(scalar[step], value, value),
        Side::Right => rule.apply(value, scalar[step], value),
    })
}

/// Replaces every value.
///
/// # Errors
/// [`Error::Execution`] if several series become one.
pub(crate) fn map(
    mut rows: Vec<Row>,
    drops_name: bool,
    replace: impl Fn(usize, f64) -> f64,
) -> Result<Vec<Row>, Error> {
    for row in &mut rows {
        for (step, value) in row.values.iter_mut().enumerate() {
            if is_present(*value) {
                *value = replace(step, *value);
            }
        }
        if drops_name {
            row.labels = row.labels.without_name();
        }
    }
    if drops_name { merge(rows) } else { Ok(rows) }
}
