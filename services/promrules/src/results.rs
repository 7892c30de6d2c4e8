//! The results of an expression at one moment.

use promql::{Labels, Query, Storage, Value};

/// One result a series; a scalar is a result without labels.
pub(crate) fn of(
    query: &Query,
    storage: &dyn Storage,
    at_ms: i64,
    options: &promql::Options,
) -> Result<Vec<(Labels, f64)>, String> {
    match query.instant(storage, at_ms, options).map_err(|error| error.to_string())? {
        Value::Vector(vector) => {
            Ok(vector.into_iter().map(|(labels, sample)| (labels, sample.value)).collect())
        }
        Value::Scalar(sample) => Ok(vec![(Labels::empty(), sample.value)]),
        Value::Matrix(_) => {
            Err("the expression is a range vector; expected an instant vector or a scalar"
                .to_owned())
        }
        Value::String(..) => {
            Err("the expression is a string; expected an instant vector or a scalar".to_owned())
        }
    }
}

/// Copies labels, and sets or replaces some.
pub(crate) fn with<'a>(
    labels: &Labels,
    others: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Labels {
    let others = others.into_iter().map(|(name, value)| (name.into(), value.into()));
    Labels::new(labels.iter().cloned().chain(others))
}
