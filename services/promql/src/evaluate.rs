//! Evaluates a plan at all steps at once.

mod aggregate;
mod arithmetic;
mod call;
mod matching;
mod rank;
mod select;
mod sets;
mod whole;

use std::time::Duration;

use crate::{
    Error, Labels, Sample, Select, Storage,
    budget::Budget,
    columns::{Columns, Row, Steps},
    functions::window::RangeFunction,
    options::Options,
    plan::{
        Aggregate, At, Binary, MAX_DURATION_MS, Node, Operation, Selector, Shift, Source, Window,
    },
};
use aggregate::Groups;
use arithmetic::Rule;
use rank::Order;
use select::{Moments, Windowed, Yields};

/// An evaluation of a query.
pub(crate) struct Evaluation<'a> {
    storage: &'a dyn Storage,
    budget: Budget,
    lookback_ms: i64,
    subquery_step_ms: i64,
    /// The bounds of the whole query, to which `@ start()` and `@ end()` refer.
    bounds_ms: (i64, i64),
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(storage: &'a dyn Storage, bounds_ms: (i64, i64), options: &Options) -> Self {
        Self {
            storage,
            budget: Budget::new(options.max_samples, options.deadline),
            lookback_ms: milliseconds(options.lookback),
            subquery_step_ms: milliseconds(options.subquery_step).max(1),
            bounds_ms,
        }
    }

    /// Evaluates an expression.
    ///
    /// # Errors
    /// Any but [`Error::Parse`].
    pub(crate) fn columns(&self, node: &Node, steps: Steps) -> Result<Columns, Error> {
        self.budget.check_time()?;
        let held = self.budget.held();
        let columns = match node {
            Node::Number(number) => self.constant(*number, steps),
            Node::Instant(selector) => {
                self.instant(selector, steps, Yields::Value).map(Columns::Vector)
            }
            Node::Negate(node) => match self.columns(node, steps)? {
                Columns::Scalar(values) => {
                    Ok(Columns::Scalar(values.into_iter().map(|value| -value).collect()))
                }
                Columns::Vector(rows) => {
                    arithmetic::map(rows, true, |_, value| -value).map(Columns::Vector)
                }
            },
            Node::Binary(binary) => self.binary(binary, steps),
            Node::Aggregate(aggregate) => self.aggregate(aggregate, steps).map(Columns::Vector),
            Node::Call(call) => self.call(call, steps),
        }?;
        self.budget.set_held(held + columns.samples());
        Ok(columns)
    }

    /// The samples that a range selector or a subquery yields at one moment.
    ///
    /// # Errors
    /// Any but [`Error::Parse`].
    pub(crate) fn samples(
        &self,
        window: &Window,
        at_ms: i64,
    ) -> Result<Vec<(Labels, Vec<Sample>)>, Error> {
        let steps = Steps { first_ms: at_ms, step_ms: 1, count: 1 };
        let moments = self.moments(window.shift, steps);
        let mut found = Vec::new();
        match &window.source {
            Source::Series(matchers) => {
                let to_ms = moments.last_ms();
                let select = Select { matchers, from_ms: to_ms - window.range_ms + 1, to_ms };
                let mut live = Vec::new();
                self.storage.select(&select, &mut |labels, samples| {
                    self.budget.check_time()?;
                    self.budget.take(samples.len())?;
                    let samples = select::without_stale(samples, &mut live);
                    if !samples.is_empty() {
                        found.push((labels.clone(), samples.to_vec()));
                    }
                    Ok(())
                })?;
            }
            Source::Subquery { expression, step_ms } => {
                let (rows, steps) = self.subquery(expression, *step_ms, window, moments)?;
                let samples = |row: &Row| {
                    (row.labels.clone(), select::samples_of(row, steps).collect::<Vec<_>>())
                };
                found.extend(rows.iter().map(samples).filter(|(_, samples)| !samples.is_empty()));
            }
        }
        Ok(found)
    }

    fn scalar(&self, node: &Node, steps: Steps) -> Result<Vec<f64>, Error> {
        match self.columns(node, steps)? {
            Columns::Scalar(values) => Ok(values),
            Columns::Vector(_) => Err(type_error("scalar")),
        }
    }

    fn vector(&self, node: &Node, steps: Steps) -> Result<Vec<Row>, Error> {
        match self.columns(node, steps)? {
            Columns::Vector(rows) => Ok(rows),
            Columns::Scalar(_) => Err(type_error("instant vector")),
        }
    }

    fn constant(&self, number: f64, steps: Steps) -> Result<Columns, Error> {
        self.budget.take(steps.count)?;
        Ok(Columns::Scalar(vec![number; steps.count]))
    }

    fn seconds(&self, steps: Steps) -> Result<Vec<f64>, Error> {
        self.budget.take(steps.count)?;
        Ok((0..steps.count).map(|step| steps.at(step) as f64 / 1000.0).collect())
    }

    fn moments(&self, shift: Shift, steps: Steps) -> Moments {
        let fixed_ms = shift.at.map(|at| match at {
            At::Start => self.bounds_ms.0,
            At::End => self.bounds_ms.1,
            At::Ms(at_ms) => at_ms,
        });
        Moments { steps, fixed_ms, offset_ms: shift.offset_ms }
    }

    fn instant(
        &self,
        selector: &Selector,
        steps: Steps,
        yields: Yields,
    ) -> Result<Vec<Row>, Error> {
        let moments = self.moments(selector.shift, steps);
        let matchers = &selector.matchers;
        let lookback_ms = self.lookback_ms;
        select::instant(self.storage, matchers, moments, lookback_ms, yields, &self.budget)
    }

    /// Evaluates the expression of a subquery at the multiples of its step that any window contains.
    fn subquery(
        &self,
        expression: &Node,
        step_ms: Option<i64>,
        window: &Window,
        moments: Moments,
    ) -> Result<(Vec<Row>, Steps), Error> {
        let step_ms = step_ms.unwrap_or(self.subquery_step_ms);
        let before_ms = moments.first_ms() - window.range_ms;
        let aligned_ms = before_ms / step_ms * step_ms;
        let first_ms = if aligned_ms > before_ms { aligned_ms } else { aligned_ms + step_ms };
        let last_ms = moments.last_ms();
        if last_ms < first_ms {
            return Ok((Vec::new(), Steps { first_ms, step_ms, count: 0 }));
        }
        let count = usize::try_from((last_ms - first_ms) / step_ms).unwrap_or(usize::MAX);
        let steps = Steps { first_ms, step_ms, count: count.saturating_add(1) };
        // Not even one column may be allocated that is longer than the query may hold.
        let held = self.budget.held();
        self.budget.take(steps.count)?;
        self.budget.set_held(held);
        Ok((self.vector(expression, steps)?, steps))
    }

    fn window(
        &self,
        window: &Window,
        function: RangeFunction,
        args: &[Node],
        steps: Steps,
    ) -> Result<Vec<Row>, Error> {
        let args: Vec<_> =
            args.iter().map(|arg| self.scalar(arg, steps)).collect::<Result<_, _>>()?;
        let moments = self.moments(window.shift, steps);
        let windowed = Windowed { function, range_ms: window.range_ms, moments, args: &args };
        match &window.source {
            Source::Series(matchers) => windowed.of_series(self.storage, matchers, &self.budget),
            Source::Subquery { expression, step_ms } => {
                let (rows, steps) = self.subquery(expression, *step_ms, window, moments)?;
                windowed.of_rows(&rows, steps, &self.budget)
            }
        }
    }

    fn binary(&self, binary: &Binary, steps: Steps) -> Result<Columns, Error> {
        match binary {
            Binary::Sets { operator, left, right, on } => {
                let (left, right) = (self.vector(left, steps)?, self.vector(right, steps)?);
                sets::apply(*operator, left, right, on).map(Columns::Vector)
            }
            Binary::Numbers { operator, returns_bool, left, right, matching } => {
                let rule = Rule::new(*operator, *returns_bool);
                match (self.columns(left, steps)?, self.columns(right, steps)?) {
                    (Columns::Scalar(left), Columns::Scalar(right)) => {
                        Ok(Columns::Scalar(arithmetic::scalars(rule, left, &right)))
                    }
                    (Columns::Vector(rows), Columns::Scalar(scalar)) => {
                        arithmetic::vector_scalar(rule, rows, &scalar).map(Columns::Vector)
                    }
                    (Columns::Scalar(scalar), Columns::Vector(rows)) => {
                        arithmetic::scalar_vector(rule, &scalar, rows).map(Columns::Vector)
                    }
                    (Columns::Vector(left), Columns::Vector(right)) => {
                        matching::apply(rule, left, right, matching, &self.budget)
                            .map(Columns::Vector)
                    }
                }
            }
        }
    }

    fn aggregate(&self, aggregate: &Aggregate, steps: Steps) -> Result<Vec<Row>, Error> {
        let (operation, grouping) = (&aggregate.operation, &aggregate.grouping);
        let parameter = match operation {
            Operation::Quantile(q) => self.scalar(q, steps)?,
            Operation::TopK(k) | Operation::BottomK(k) => self.scalar(k, steps)?,
            Operation::Fold(_) | Operation::CountValues(_) => Vec::new(),
        };
        let rows = self.vector(&aggregate.expression, steps)?;
        let groups = Groups::new(&rows, grouping);
        let budget = &self.budget;
        match operation {
            Operation::Fold(fold) => aggregate::fold(*fold, &rows, groups, steps.count, budget),
            Operation::Quantile(_) => aggregate::quantile(&parameter, &rows, groups, budget),
            Operation::TopK(_) => rank::top(&parameter, Order::Descending, rows, &groups, budget),
            Operation::BottomK(_) => rank::top(&parameter, Order::Ascending, rows, &groups, budget),
            Operation::CountValues(label) => {
                rank::count_values(label, &rows, grouping, steps.count, budget)
            }
        }
    }
}

/// The plan has been checked: this error would be a mistake of this crate.
fn type_error(expected: &str) -> Error {
    Error::Execution(format!("expected an expression of type {expected}"))
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(MAX_DURATION_MS)
}
