//! The functions of PromQL as pure code: from windows, values and labels to values. The evaluator looks them up by name.

pub(crate) mod date;
pub(crate) mod histogram;
pub(crate) mod labels;
pub(crate) mod math;
pub(crate) mod over_time;
pub(crate) mod pattern;
pub(crate) mod quantile;
pub(crate) mod range;
pub(crate) mod rate;
pub(crate) mod regression;
pub(crate) mod sum;
pub(crate) mod window;
