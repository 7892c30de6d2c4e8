//! Parameters of the API, from the URL and, with POST, from a form in the body.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};

use super::answer::{Kind, Refusal};

/// The maximum size of a form, in bytes: many times the longest query of our dashboards.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// The maximum length of a query or selector, in bytes.
const LONGEST_QUERY: usize = 16 * 1024;

/// The maximum number of `match[]`.
const MOST_SELECTORS: usize = 64;

/// A year, in milliseconds.
const YEAR: f64 = 365.0 * 86_400_000.0;

/// The latest time that is accepted, in seconds since the Unix epoch: the year 9999. The earliest is as far before.
const LATEST: f64 = 253_402_300_799.0;

/// All parameters: those of the body first, as in Prometheus; a name may occur several times.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let content_type = request.headers().get(header::CONTENT_TYPE).cloned();
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            let text = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    format!("the body has more than {BODY_LIMIT} bytes; send a shorter form")
                }
                _ => format!("cannot read the body: {rejection}"),
            };
            Refusal::new(Kind::BadData, text)
        })?;
        let is_form = content_type.as_ref().is_some_and(|value| {
            value.to_str().is_ok_and(|value| value.trim_start().starts_with(FORM))
        });
        if !body.is_empty() && !is_form {
            let text = format!("the body is no form; send it with content-type {FORM}");
            return Err(Refusal::new(Kind::BadData, text));
        }
        let pairs = form_urlencoded::parse(&body).chain(form_urlencoded::parse(query.as_bytes()));
        Ok(Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

impl Params {
    /// The first value of this name that is not empty: forms send empty fields for parameters that were not set.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The parameter `query`.
    pub(super) fn query(&self) -> Result<&str, Refusal> {
        let query = self.text("query").unwrap_or_default();
        if query.is_empty() {
            return Err(Refusal::parameter("query", "", "a PromQL expression, such as up"));
        }
        not_too_long("query", query)
    }

    /// The values of `match[]`.
    pub(super) fn selectors(&self) -> Result<Vec<&str>, Refusal> {
        let all: Vec<_> = self.all("match[]").collect();
        if all.len() > MOST_SELECTORS {
            let text = format!(
                "{} parameters \"match[]\"; the limit is {MOST_SELECTORS}: join them with =~ and |",
                all.len()
            );
            return Err(Refusal::new(Kind::BadData, text));
        }
        all.into_iter().map(|text| not_too_long("match[]", text)).collect()
    }

    /// A time in milliseconds since the Unix epoch.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let read = |text: &str| {
            parse_time(text).ok_or_else(|| {
                Refusal::parameter(
                    name,
                    text,
                    "seconds since 1970, as 1767323045.123, or RFC 3339, as 2026-01-02T03:04:05Z",
                )
            })
        };
        self.text(name).map(read).transpose()
    }

    /// A time that must be given.
    pub(super) fn required_time(&self, name: &str) -> Result<i64, Refusal> {
        self.time(name)?.ok_or_else(|| Refusal::parameter(name, "", "a time"))
    }

    /// The times of `start` and `end`: all times if they are not given.
    pub(super) fn period(&self, now_ms: i64) -> Result<(i64, i64), Refusal> {
        let (start, end) = (self.time("start")?.unwrap_or(0), self.time("end")?.unwrap_or(now_ms));
        in_order(start, end)?;
        Ok((start, end))
    }

    /// A duration in milliseconds.
    pub(super) fn duration(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let read = |text: &str| {
            parse_duration(text).ok_or_else(|| {
                Refusal::parameter(name, text, "seconds, as 15, or a duration, as 15s or 1m30s")
            })
        };
        self.text(name).map(read).transpose()
    }

    /// A number of items; 0 is no limit.
    pub(super) fn limit(&self, name: &str) -> Result<usize, Refusal> {
        let read = |text: &str| {
            text.parse().map_err(|_| {
                Refusal::parameter(name, text, "a number of items, or 0 for all of them")
            })
        };
        Ok(self.text(name).map(read).transpose()?.unwrap_or(0))
    }
}

pub(super) fn in_order(start: i64, end: i64) -> Result<(), Refusal> {
    if end < start {
        let text = "invalid parameter \"end\": end timestamp must not be before start time";
        return Err(Refusal::new(Kind::BadData, text));
    }
    Ok(())
}

fn not_too_long<'a>(name: &str, text: &'a str) -> Result<&'a str, Refusal> {
    if text.len() > LONGEST_QUERY {
        let text = format!(
            "parameter {name:?} has {} bytes; the limit is {LONGEST_QUERY}: split it, or record a part of it with a rule",
            text.len()
        );
        return Err(Refusal::new(Kind::BadData, text));
    }
    Ok(text)
}

/// Parses seconds since the Unix epoch, or RFC 3339.
fn parse_time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.abs() <= LATEST).then(|| (seconds * 1e3).round() as i64);
    }
    let (local, offset_ms) = match text.strip_suffix(['Z', 'z']) {
        Some(local) => (local, 0),
        None => {
            let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            (local, parse_offset(offset)?)
        }
    };
    let at = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    let ms = at.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?.as_millis();
    i64::try_from(ms).ok()?.checked_sub(offset_ms)
}

/// Parses `+01:00`, in milliseconds.
fn parse_offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str, most: i64| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| is_number && *number <= most)
    };
    Some(sign * (number(hours, 23)? * 60 + number(minutes, 59)?) * 60_000)
}

/// Parses seconds, or a duration as Prometheus writes it: `1h30m`. In milliseconds; never negative.
fn parse_duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 7] = [
        ("y", YEAR),
        ("w", 7.0 * 86_400_000.0),
        ("d", 86_400_000.0),
        ("h", 3_600_000.0),
        ("m", 60_000.0),
        ("s", 1_000.0),
        ("ms", 1.0),
    ];
    let longest = 100.0 * YEAR;
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = seconds * 1e3;
        return (0.0..=longest).contains(&ms).then(|| ms.round() as i64);
    }
    let (mut rest, mut ms, mut units) = (text, 0.0, UNITS.as_slice());
    while !rest.is_empty() {
        let digits =
            rest.find(|letter: char| !letter.is_ascii_digit()).filter(|place| *place > 0)?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|letter: char| letter.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        // Each unit once, the larger ones first.
        let place = units.iter().position(|(name, _)| *name == unit)?;
        ms += number.parse::<f64>().ok()? * units[place].1;
        (rest, units) = (after, &units[place + 1..]);
    }
    (!text.is_empty() && ms <= longest).then_some(ms as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        for (text, ms) in [
            ("1767323045", 1_767_323_045_000),
            ("1767323045.1234", 1_767_323_045_123),
            ("1.5e3", 1_500_000),
            ("-1", -1_000),
            ("2026-01-02T03:04:05Z", 1_767_323_045_000),
            ("2026-01-02T03:04:05.678Z", 1_767_323_045_678),
            ("2026-01-02T04:34:05+01:30", 1_767_323_045_000),
            ("2026-01-01T22:04:05-05:00", 1_767_323_045_000),
        ] {
            assert_eq!(parse_time(text), Some(ms), "{text}");
        }
        for bad in [
            "now",
            "NaN",
            "inf",
            "1e300",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "+01:00",
            "2026-01-02T03:04:05+1:00",
            "2026-01-02T03:04:05+99:00",
            "€€",
        ] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_seconds_or_units() {
        for (text, ms) in [
            ("15", 15_000),
            ("0.5", 500),
            ("1e1", 10_000),
            ("15s", 15_000),
            ("1h30m", 5_400_000),
            ("1d1ms", 86_400_001),
            ("2w", 1_209_600_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Some(ms), "{text}");
        }
        for bad in [
            "",
            "s",
            "-1",
            "1.5m",
            "5m1h",
            "5m5m",
            "1x",
            "NaN",
            "inf",
            "1e300",
            "99999999999999999999y",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_empty_parameter_is_none() {
        let params = Params(vec![("time".into(), String::new()), ("limit".into(), "x".into())]);
        assert_eq!(params.time("time"), Ok(None));
        let error = format!("{:?}", params.limit("limit").unwrap_err());
        assert!(error.contains("expected a number of items"), "{error}");
    }
}
