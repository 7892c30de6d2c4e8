//! Calls of functions.

use crate::{
    Error, Labels,
    columns::{Columns, Row, Steps, merge},
    evaluate::{
        Evaluation, arithmetic,
        rank::{self, Order},
        select::Yields,
        whole,
    },
    functions::{date::Date, histogram, math::Math, over_time, window::RangeFunction},
    plan::{Call, Histogram, Node},
};

impl Evaluation<'_> {
    /// Evaluates a call.
    pub(super) fn call(&self, call: &Call, steps: Steps) -> Result<Columns, Error> {
        match call {
            Call::Time => self.seconds(steps).map(Columns::Scalar),
            Call::Scalar(vector) => {
                let rows = self.vector(vector, steps)?;
                Ok(Columns::Scalar(whole::scalar(&rows, steps.count)))
            }
            call => self.call_of_vector(call, steps).map(Columns::Vector),
        }
    }

    fn call_of_vector(&self, call: &Call, steps: Steps) -> Result<Vec<Row>, Error> {
        match call {
            Call::Range { function, window, args } => self.window(window, *function, args, steps),
            Call::AbsentOverTime { window, labels } => {
                let present = RangeFunction { call: over_time::present, keeps_name: true };
                let rows = self.window(window, present, &[], steps)?;
                Ok(whole::absent(&rows, labels, steps.count))
            }
            Call::Math { function, vector, args } => self.math(*function, vector, args, steps),
            Call::Date { function, vector } => self.date(*function, vector.as_ref(), steps),
            Call::Absent { vector, labels } => {
                Ok(whole::absent(&self.vector(vector, steps)?, labels, steps.count))
            }
            Call::Timestamp(vector) => self.timestamp(vector, steps),
            Call::Sort { vector, descending } => {
                let mut rows = self.vector(vector, steps)?;
                rank::sort(
                    &mut rows,
                    if *descending { Order::Descending } else { Order::Ascending },
                );
                Ok(rows)
            }
            Call::Vector(scalar) => {
                Ok(vec![Row { labels: Labels::empty(), values: self.scalar(scalar, steps)? }])
            }
            Call::Histogram { computes, buckets } => self.histogram(computes, buckets, steps),
            Call::LabelReplace { vector, replace } => {
                whole::relabel(self.vector(vector, steps)?, |labels| replace.apply(labels))
            }
            Call::LabelJoin { vector, join } => {
                whole::relabel(self.vector(vector, steps)?, |labels| join.apply(labels))
            }
            Call::Time | Call::Scalar(_) => Err(super::type_error("instant vector")),
        }
    }

    fn histogram(
        &self,
        computes: &Histogram,
        buckets: &Node,
        steps: Steps,
    ) -> Result<Vec<Row>, Error> {
        let rows = self.vector(buckets, steps)?;
        match computes {
            Histogram::Quantile(q) => {
                let q = self.scalar(q, steps)?;
                let of = |step: usize, buckets: &mut [_]| histogram::quantile(q[step], buckets);
                whole::of_histograms(&rows, steps.count, &self.budget, of)
            }
            Histogram::Fraction(lower, upper) => {
                let (lower, upper) = (self.scalar(lower, steps)?, self.scalar(upper, steps)?);
                let of = |step: usize, buckets: &mut [_]| {
                    histogram::fraction(lower[step], upper[step], buckets)
                };
                whole::of_histograms(&rows, steps.count, &self.budget, of)
            }
        }
    }

    fn math(
        &self,
        function: Math,
        vector: &Node,
        args: &[Node],
        steps: Steps,
    ) -> Result<Vec<Row>, Error> {
        let rows = self.vector(vector, steps)?;
        let columns: Vec<_> =
            args.iter().map(|arg| self.scalar(arg, steps)).collect::<Result<_, _>>()?;
        // The arguments of one step after those of another.
        let by_step = |step: usize| columns.iter().map(move |column| column[step]);
        let args: Vec<f64> = (0..steps.count).flat_map(by_step).collect();
        let of_step = |step: usize| &args[step * columns.len()..(step + 1) * columns.len()];
        arithmetic::map(rows, true, |step, value| function(value, of_step(step)))
    }

    fn date(&self, function: Date, vector: Option<&Node>, steps: Steps) -> Result<Vec<Row>, Error> {
        let rows = match vector {
            Some(vector) => self.vector(vector, steps)?,
            None => vec![Row { labels: Labels::empty(), values: self.seconds(steps)? }],
        };
        arithmetic::map(rows, true, |_, value| function(value))
    }

    fn timestamp(&self, vector: &Node, steps: Steps) -> Result<Vec<Row>, Error> {
        if let Node::Instant(selector) = vector {
            let mut selector = selector.clone();
            if selector.shift.at.is_some() {
                // Prometheus forgets the offset beside `@`, but only reads samples up to the shifted moment.
                selector.shift.offset_ms = selector.shift.offset_ms.max(0);
            }
            let mut rows = self.instant(&selector, steps, Yields::Timestamp)?;
            for row in &mut rows {
                row.labels = row.labels.without_name();
            }
            return merge(rows);
        }
        let seconds = self.seconds(steps)?;
        arithmetic::map(self.vector(vector, steps)?, true, |step, _| seconds[step])
    }
}
