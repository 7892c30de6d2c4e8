//! Limits and moments of an evaluation.

use std::time::Duration;

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
