//! Durations as Prometheus writes them: `1h30m`, `15s`, `0`.

use std::time::Duration;

/// The units from the largest to the smallest, in milliseconds; a duration has each at most once, in this order.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The maximum, as in Prometheus: what nanoseconds in 63 bits can say.
const MAX_MS: u64 = i64::MAX as u64 / 1_000_000;

/// Parses a duration.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let mistake =
        || format!("{text:?} is no duration; expected numbers with units, such as 1h30m or 15s");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut units, mut sum) = (text, UNITS.as_slice(), 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(mistake)?;
        let number: u64 = rest[..digits].parse().map_err(|_| mistake())?;
        let letters = rest[digits..]
            .find(|letter: char| letter.is_ascii_digit())
            .map_or(rest.len(), |length| digits + length);
        let place = units.iter().position(|(unit, _)| *unit == &rest[digits..letters]);
        let place = place.ok_or_else(mistake)?;
        let part = number.checked_mul(units[place].1).ok_or_else(mistake)?;
        sum = sum.checked_add(part).filter(|sum| *sum <= MAX_MS).ok_or_else(mistake)?;
        (rest, units) = (&rest[letters..], &units[place + 1..]);
    }
    if text.is_empty() { Err(mistake()) } else { Ok(Duration::from_millis(sum)) }
}

/// Writes a duration with the units that it needs; years and weeks only where they are whole, as Prometheus does.
pub(crate) fn write(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(MAX_MS);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, length) in UNITS {
        let is_whole_only = matches!(unit, "y" | "w");
        if rest >= length && (!is_whole_only || rest.is_multiple_of(length)) {
            text.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_prometheus_reads_them() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("15s", 15_000),
            ("1m30s", 90_000),
            ("1d2h", 93_600_000),
            ("1y", 31_536_000_000),
            ("2w", 1_209_600_000),
            ("1s500ms", 1_500),
            ("60m", 3_600_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_duration_is_refused_by_name() {
        for text in
            ["", "5", "s", "1.5h", "-1m", "1s1m", "1m1m", "1 m", "1µs", "99999999999y", "1minute"]
        {
            let mistake = parse(text).expect_err(text);
            assert!(mistake.starts_with(&format!("{text:?} is no duration")), "{mistake}");
        }
    }

    #[test]
    fn durations_are_written_as_prometheus_writes_them() {
        for (ms, text) in [
            (0, "0s"),
            (15_000, "15s"),
            (90_000, "1m30s"),
            (1_209_600_000, "2w"),
            (1_209_601_000, "14d1s"),
            (31_536_000_000, "1y"),
            (31_536_060_000, "365d1m"),
            (1_500, "1s500ms"),
        ] {
            assert_eq!(write(Duration::from_millis(ms)), text);
        }
    }
}
