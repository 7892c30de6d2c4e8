//! What a function of a range of samples is.

use crate::Sample;

/// What a range function knows beside the samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// Before the first sample that counts: the window is open on the left.
    pub(crate) start_ms: i64,
    /// The last moment that counts.
    pub(crate) end_ms: i64,
    /// The step; differs from `end_ms` by `offset` and `@`.
    pub(crate) at_ms: i64,
    /// The scalar arguments, in their order in the call.
    pub(crate) args: &'a [f64],
    /// The values that are followed by a smaller one in the window: those before each restart of a counter.
    pub(crate) restarts: &'a [f64],
}

/// Samples without staleness markers to a value; no value if there are too few samples.
pub(crate) type Call = fn(&[Sample], &Window<'_>) -> Option<f64>;

/// A function of a range of samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RangeFunction {
    /// The function.
    pub(crate) call: Call,
    /// Whether the result has the metric's name.
    pub(crate) keeps_name: bool,
}
