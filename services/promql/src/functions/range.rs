//! Functions of a range of samples, such as `rate`.

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

/// The function with this name.
pub(crate) fn range(name: &str) -> Option<RangeFunction> {
    let (call, keeps_name): (Call, _) = match name {
        "count_over_time" => (|samples, _| Some(samples.len() as f64), false),
        "last_over_time" => (|samples, _| samples.last().map(|sample| sample.value), true),
        _ => return None,
    };
    Some(RangeFunction { call, keeps_name })
}
