//! Functions of a moment, such as `hour`.

/// A function of seconds since the Unix epoch, in UTC.
pub(crate) type Date = fn(f64) -> f64;

/// The function with this name.
pub(crate) fn date(name: &str) -> Option<Date> {
    Some(match name {
        "minute" => |seconds| (seconds / 60.0).floor().rem_euclid(60.0),
        _ => return None,
    })
}
