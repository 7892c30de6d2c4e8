//! What time it is: that of the machine, or the fixed end of a recorded run.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize, de};

/// The time of queries and of spans that arrive: the machine's, or a fixed one. With a fixed time, a recorded run looks as it did
/// at its end: windows, lookbacks and ages count from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    fixed: Option<Duration>,
}

impl Clock {
    /// The time since the Unix epoch, comparable to times in spans.
    pub(crate) fn now(self) -> Duration {
        let machine = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.fixed.unwrap_or_else(|| machine().unwrap_or_default())
    }

    /// The time in milliseconds since the Unix epoch, as Prometheus' times are.
    pub(crate) fn now_ms(self) -> i64 {
        i64::try_from(self.now().as_millis()).unwrap_or(i64::MAX)
    }

    /// Whether it stands.
    pub(crate) fn is_fixed(self) -> bool {
        self.fixed.is_some()
    }
}

impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let expected = || format!("{text:?} is no time; expected one as 2026-01-02T03:04:05Z");
        let time = humantime::parse_rfc3339(text).map_err(|_| expected())?;
        let since = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| expected())?;
        Ok(Self { fixed: Some(since) })
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fixed {
            Some(at) => humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + at).fmt(f),
            None => Ok(()),
        }
    }
}

impl Serialize for Clock {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Clock {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_time_is_read_and_written_the_same() {
        for text in ["", "2026-01-02T03:04:05.250Z"] {
            assert_eq!(text.parse::<Clock>().unwrap().to_string(), text);
        }
        assert_eq!("1970-01-01T00:00:02Z".parse::<Clock>().unwrap().now_ms(), 2_000);
        for bad in ["yesterday", "1767323045", "1960-01-01T00:00:00Z"] {
            assert!(bad.parse::<Clock>().unwrap_err().contains("expected one as"), "{bad}");
        }
    }
}
