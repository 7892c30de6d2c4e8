//! Query parameters, read one by one so that an error can name the wrong one.

use std::{str::FromStr, time::Duration};

use axum::extract::{FromRequestParts, Query};
use thiserror::Error;

use crate::domain::TraceId;

/// A parameter with an invalid value.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("parameter {name:?} is {value:?}; expected {expected}")]
pub(super) struct InvalidParam {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) expected: String,
}

/// All parameters in their order; a name may occur several times.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, Self::Rejection> {
        // A query string that cannot be parsed counts as empty; a required parameter is then reported as missing.
        let pairs = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        Ok(Self(pairs.map(|Query(pairs)| pairs).unwrap_or_default()))
    }
}

impl Params {
    /// The first value of this name that is not empty: forms send empty fields for parameters that were not set.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    fn read<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, InvalidParam> {
        let bad = |value: &str| InvalidParam {
            name: name.to_owned(),
            value: value.to_owned(),
            expected: expected.to_owned(),
        };
        self.text(name).map(|value| read(value).ok_or_else(|| bad(value))).transpose()
    }

    pub(super) fn required(&self, name: &str, expected: &str) -> Result<&str, InvalidParam> {
        let bad = || InvalidParam {
            name: name.to_owned(),
            value: String::new(),
            expected: expected.to_owned(),
        };
        self.text(name).ok_or_else(bad)
    }

    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, InvalidParam> {
        let expected = format!("a whole number from 1 to {most}");
        let read = |text: &str| text.parse().ok().filter(|limit| (1..=most).contains(limit));
        Ok(self.read("limit", &expected, read)?.unwrap_or(default))
    }

    /// The limit, lowered to `most` if it is higher.
    pub(super) fn limit_cut(&self, default: usize, most: usize) -> Result<usize, InvalidParam> {
        let is_more = |text: &str| text.parse().is_ok_and(|limit: u64| limit > most as u64);
        if self.text("limit").is_some_and(is_more) {
            return Ok(most);
        }
        self.limit(default, most)
    }

    pub(super) fn number<N: FromStr>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<N>, InvalidParam> {
        self.read(name, expected, |text| text.parse().ok())
    }

    /// A duration in Go's format, which Jaeger's clients send: `1.5s`, `100ms`, `1h30m`.
    pub(super) fn duration(&self, name: &str) -> Result<Option<Duration>, InvalidParam> {
        self.read(name, "a duration with its unit, as 1.5s, 100ms or 500us", parse_duration)
    }

    pub(super) fn window(
        &self,
        default: Duration,
        longest: Duration,
    ) -> Result<Duration, InvalidParam> {
        let expected = format!("a duration from 5s to {}s, as 60s or 2m", longest.as_secs());
        let fits = |window: &Duration| (Duration::from_secs(5)..=longest).contains(window);
        Ok(self
            .read("window", &expected, |text| parse_duration(text).filter(fits))?
            .unwrap_or(default))
    }

    pub(super) fn one_of<T>(
        &self,
        name: &str,
        words: &[&str],
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, InvalidParam> {
        self.read(name, &format!("one of {}", words.join(", ")), read)
    }

    pub(super) fn trace_id(&self, name: &str) -> Result<Option<TraceId>, InvalidParam> {
        self.read(name, TRACE_ID, TraceId::parse)
    }
}

pub(super) const TRACE_ID: &str = "a trace id: up to 32 hexadecimal digits, not all zero";

/// A duration in the format of Jaeger's page, which also has `2d` and `1w`.
pub(super) fn parse_lookback(text: &str) -> Option<Duration> {
    let days = match text.strip_suffix('d') {
        Some(days) => days.parse::<u32>().ok(),
        None => text.strip_suffix('w').and_then(|weeks| weeks.parse::<u32>().ok()?.checked_mul(7)),
    };
    let day = Duration::from_secs(24 * 60 * 60);
    days.map_or_else(|| parse_duration(text), |days| day.checked_mul(days))
}

/// Parses <https://pkg.go.dev/time#ParseDuration>, without the sign.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 7] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3_600.0),
    ];
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let unit = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at(unit);
        let end = after
            .find(|letter: char| letter.is_ascii_digit() || letter == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        seconds += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    // Nanoseconds are exact up to some hundred days; longer durations are refused.
    let longest = 1e7;
    (!text.is_empty() && seconds <= longest)
        .then(|| Duration::from_nanos((seconds * 1e9).round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let cases = [
            ("100ms", 100_000_000),
            ("1.5s", 1_500_000_000),
            ("500us", 500_000),
            ("7µs", 7_000),
            ("0", 0),
        ];
        for (text, nanos) in cases {
            assert_eq!(parse_duration(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5_400)));
        for bad in ["", "5", "s", "-1s", "1 s", "1d", "1.1.1s", "99999999h", "ms5"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_lookback_may_be_days() {
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3_600));
        assert_eq!((parse_lookback("2d"), parse_lookback("1w")), (hours(48), hours(168)));
        assert_eq!((parse_lookback("1h"), parse_lookback("custom")), (hours(1), None));
        assert_eq!((parse_lookback("d"), parse_lookback("-1d")), (None, None));
    }

    #[test]
    fn more_than_the_most_is_the_most_where_it_is_cut() {
        let limit = |text: &str| Params(vec![("limit".into(), text.into())]).limit_cut(20, 100);
        assert_eq!(
            (limit("101"), limit("18446744073709551615"), limit("7")),
            (Ok(100), Ok(100), Ok(7))
        );
        for bad in ["0", "-1", "x", "1.5"] {
            assert!(limit(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_invalid_parameter_is_an_error_with_the_expected_form() {
        let params = Params(vec![("limit".into(), "0".into()), ("service".into(), String::new())]);
        assert_eq!(
            params.limit(20, 100).unwrap_err().to_string(),
            r#"parameter "limit" is "0"; expected a whole number from 1 to 100"#
        );
        assert_eq!(params.text("service"), None, "an empty field of a form");
        assert_eq!(params.required("service", "a name").unwrap_err().name, "service");
    }
}
