//! The functions of PromQL as pure code: from windows, values and labels to values. The evaluator looks them up by name.

pub(crate) mod date;
pub(crate) mod histogram;
pub(crate) mod labels;
pub(crate) mod math;
pub(crate) mod range;
