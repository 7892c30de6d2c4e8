//! Times as columns hold them: microseconds since the Unix epoch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns a time as a column holds it: microseconds since the Unix epoch.
pub fn micros(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Returns the time that a column holds.
pub fn time(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros.max(0).unsigned_abs())
}

/// Returns the time this long ago, as a column holds it.
pub(crate) fn before(age: Duration) -> i64 {
    now().saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
}

/// Returns the current time, as a column holds it.
pub fn now() -> i64 {
    micros(SystemTime::now())
}
