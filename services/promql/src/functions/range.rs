//! Functions of a range of samples, such as `rate`.

use crate::{
    Sample,
    functions::{over_time, rate, regression},
};

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

/// The function with this name. Experimental functions, such as `mad_over_time`, are not among them: Prometheus refuses them
/// without a feature flag.
pub(crate) fn range(name: &str) -> Option<RangeFunction> {
    let call: Call = match name {
        "rate" => rate::rate,
        "increase" => rate::increase,
        "delta" => rate::delta,
        "irate" => rate::irate,
        "idelta" => rate::idelta,
        "changes" => rate::changes,
        "resets" => rate::resets,
        "deriv" => regression::deriv,
        "predict_linear" => regression::predict_linear,
        "avg_over_time" => over_time::avg,
        "min_over_time" => over_time::min,
        "max_over_time" => over_time::max,
        "sum_over_time" => over_time::sum,
        "count_over_time" => over_time::count,
        "first_over_time" => over_time::first,
        "last_over_time" => over_time::last,
        "present_over_time" => over_time::present,
        "stddev_over_time" => over_time::stddev,
        "stdvar_over_time" => over_time::stdvar,
        "quantile_over_time" => over_time::quantile,
        _ => return None,
    };
    Some(RangeFunction { call, keeps_name: matches!(name, "first_over_time" | "last_over_time") })
}
