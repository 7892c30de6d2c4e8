//! Functions of a range of samples by name, such as `rate`.

use crate::functions::{
    over_time, rate, regression,
    window::{Call, RangeFunction},
};

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
