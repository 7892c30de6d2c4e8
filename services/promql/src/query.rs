//! A query and its result.

use std::time::Duration;

use promql_parser::parser::Expr;

use crate::{Error, Labels, Sample, Storage};

/// A query that was parsed; it can be evaluated any number of times.
#[derive(Clone, Debug)]
pub struct Query {
    expression: Expr,
}

/// Limits of an evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How old the last sample of a series may be to count as its present value: five minutes, as in Prometheus.
    pub lookback: Duration,
    /// The maximum of samples that a query may hold at a time: Prometheus' `--query.max-samples`.
    pub max_samples: usize,
    /// The maximum of steps of a range query: Prometheus allows 11,000.
    pub max_steps: usize,
    /// The step of subqueries that name none: Prometheus' evaluation interval.
    pub subquery_step: Duration,
    /// How long an evaluation may take.
    pub deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lookback: Duration::from_secs(300),
            max_samples: 5_000_000,
            max_steps: 11_000,
            subquery_step: Duration::from_secs(60),
            deadline: Duration::from_secs(10),
        }
    }
}

/// The moments of a range query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first step, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// No step is later.
    pub end_ms: i64,
    /// The time between two steps; positive.
    pub step_ms: i64,
}

/// A series of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Its values, oldest first.
    pub samples: Vec<Sample>,
}

/// The result of an instant query.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(Sample),
    /// One sample a series, in Prometheus' order: that of `sort`, `topk` and their like, otherwise arbitrary.
    Vector(Vec<(Labels, Sample)>),
    /// Several samples a series, ordered by labels.
    Matrix(Vec<Series>),
    /// A string literal.
    String(i64, String),
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// [`Error::Parse`] if the text is not PromQL, [`Error::Unsupported`] if it uses what this crate does not evaluate.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let expression = promql_parser::parser::parse(text).map_err(Error::Parse)?;
        Ok(Self { expression })
    }

    /// The parsed expression.
    pub fn expression(&self) -> &Expr {
        &self.expression
    }

    /// Evaluates at one moment, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// Any but [`Error::Parse`].
    pub fn instant(
        &self,
        storage: &dyn Storage,
        at_ms: i64,
        options: &Options,
    ) -> Result<Value, Error> {
        let _ = (storage, at_ms, options);
        Err(Error::Unsupported("evaluation".to_owned()))
    }

    /// Evaluates at every step of a range; the series are ordered by labels. An expression must be a scalar or an instant vector.
    ///
    /// # Errors
    /// Any but [`Error::Parse`].
    pub fn range(
        &self,
        storage: &dyn Storage,
        range: Range,
        options: &Options,
    ) -> Result<Vec<Series>, Error> {
        let _ = (storage, range, options);
        Err(Error::Unsupported("evaluation".to_owned()))
    }
}
