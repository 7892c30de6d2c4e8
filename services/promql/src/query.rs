//! A query and its result.

use promql_parser::parser::Expr;

use crate::{
    Error, Labels, Sample, Storage,
    columns::{Columns, Row, Steps, is_present},
    compile,
    evaluate::Evaluation,
    options::{Options, Range},
    plan::{MAX_DURATION_MS, Plan},
};

/// A query that was parsed; it can be evaluated any number of times.
#[derive(Clone, Debug)]
pub struct Query {
    expression: Expr,
    plan: Plan,
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
    /// [`Error::Parse`] if the text is not PromQL, [`Error::Unsupported`] if it uses what this crate does not evaluate,
    /// [`Error::Limit`] if it is too long or nested too deeply, [`Error::Execution`] if an argument of `label_replace`, `label_join`
    /// or `count_values` is invalid.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (expression, plan) = compile::parse(text)?;
        Ok(Self { expression, plan })
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
        check_moment(at_ms)?;
        let evaluation = Evaluation::new(storage, (at_ms, at_ms), options);
        match &self.plan {
            Plan::Text(text) => Ok(Value::String(at_ms, text.clone())),
            Plan::Range(window) => {
                let found = evaluation.samples(window, at_ms)?;
                let series = found.into_iter().map(|(labels, samples)| Series { labels, samples });
                Ok(Value::Matrix(sorted(series.collect())))
            }
            Plan::Value(node) => {
                let steps = Steps { first_ms: at_ms, step_ms: 1, count: 1 };
                let sample =
                    |values: &[f64]| values.first().map(|value| Sample { at_ms, value: *value });
                match evaluation.columns(node, steps)? {
                    Columns::Scalar(values) => {
                        let missing = || Error::Execution("a scalar has no value".to_owned());
                        sample(&values).map(Value::Scalar).ok_or_else(missing)
                    }
                    Columns::Vector(rows) => {
                        let present = rows.into_iter().filter_map(|row| {
                            let sample =
                                sample(&row.values).filter(|sample| is_present(sample.value));
                            sample.map(|sample| (row.labels, sample))
                        });
                        Ok(Value::Vector(present.collect()))
                    }
                }
            }
        }
    }

    /// Evaluates at every step of a range; the series are ordered by labels. An expression must be a scalar or an instant vector.
    ///
    /// # Errors
    /// Any; [`Error::Parse`] if the expression is a range vector or a string.
    pub fn range(
        &self,
        storage: &dyn Storage,
        range: Range,
        options: &Options,
    ) -> Result<Vec<Series>, Error> {
        let node = match &self.plan {
            Plan::Value(node) => node,
            Plan::Range(_) => return Err(not_for_ranges("range vector")),
            Plan::Text(_) => return Err(not_for_ranges("string")),
        };
        let Some(steps) = steps(range, options)? else { return Ok(Vec::new()) };
        // `@ end()` is the end that was asked for, even if no step is there.
        let bounds_ms = (range.start_ms, range.end_ms);
        let evaluation = Evaluation::new(storage, bounds_ms, options);
        Ok(sorted(match evaluation.columns(node, steps)? {
            Columns::Scalar(values) => vec![series(Row { labels: Labels::empty(), values }, steps)],
            Columns::Vector(rows) => {
                let series = rows.into_iter().map(|row| series(row, steps));
                series.filter(|series| !series.samples.is_empty()).collect()
            }
        }))
    }
}

fn not_for_ranges(kind: &str) -> Error {
    Error::Parse(format!(
        "invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector"
    ))
}

fn check_moment(at_ms: i64) -> Result<(), Error> {
    if at_ms.unsigned_abs() > MAX_DURATION_MS.unsigned_abs() {
        let text =
            format!("the moment {at_ms} ms is more than {MAX_DURATION_MS} ms away from 1970");
        return Err(Error::Limit(text));
    }
    Ok(())
}

/// The steps of a range; none if it ends before it starts.
fn steps(range: Range, options: &Options) -> Result<Option<Steps>, Error> {
    check_moment(range.start_ms)?;
    check_moment(range.end_ms)?;
    if range.step_ms <= 0 {
        return Err(Error::Limit(format!("the step must be positive, not {} ms", range.step_ms)));
    }
    if range.end_ms < range.start_ms {
        return Ok(None);
    }
    let count = (range.end_ms - range.start_ms) / range.step_ms + 1;
    match usize::try_from(count) {
        Ok(count) if count <= options.max_steps => {
            Ok(Some(Steps { first_ms: range.start_ms, step_ms: range.step_ms, count }))
        }
        _ => Err(Error::Limit(format!(
            "the range has {count} steps, {} are allowed: use a longer step or a shorter range",
            options.max_steps
        ))),
    }
}

fn series(row: Row, steps: Steps) -> Series {
    let sample = |(step, value)| Sample { at_ms: steps.at(step), value };
    let present = row.values.into_iter().enumerate().map(sample);
    let samples = present.filter(|sample| is_present(sample.value)).collect();
    Series { labels: row.labels, samples }
}

fn sorted(mut series: Vec<Series>) -> Vec<Series> {
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    series
}
