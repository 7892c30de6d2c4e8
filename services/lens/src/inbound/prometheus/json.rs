//! Numbers, times and labels as Prometheus' JSON has them.

use promql::{Labels, Sample};

/// Appends a text with its quotes.
pub(super) fn text(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Appends a time in seconds, with three decimals if it is no whole second.
pub(super) fn time(out: &mut String, at_ms: i64) {
    let (sign, ms) = (if at_ms < 0 { "-" } else { "" }, at_ms.unsigned_abs());
    out.push_str(&match (ms / 1_000, ms % 1_000) {
        (seconds, 0) => format!("{sign}{seconds}"),
        (seconds, rest) => format!("{sign}{seconds}.{rest:03}"),
    });
}

/// Appends a value with its quotes: JSON has no infinity.
pub(super) fn value(out: &mut String, value: f64) {
    out.push('"');
    out.push_str(&number(value));
    out.push('"');
}

/// A value in the shortest form that reads as the same number; very large and very small ones have an exponent.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 || (1e-6..1e21).contains(&value.abs()) {
        return value.to_string();
    }
    scientific(value)
}

/// A value with an exponent of at least two digits, as Go writes it, and as Prometheus writes the values of alerts.
pub(super) fn scientific(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let shown = format!("{value:e}");
    let (digits, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
    let (sign, exponent) =
        exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// Appends `[time,"value"]`.
pub(super) fn sample(out: &mut String, sample: Sample) {
    out.push('[');
    time(out, sample.at_ms);
    out.push(',');
    value(out, sample.value);
    out.push(']');
}

/// Appends items as an array.
pub(super) fn list<T>(out: &mut String, items: &[T], write: impl Fn(&mut String, &T)) {
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

/// Appends labels as an object.
pub(super) fn labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (place, (name, value)) in labels.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        text(out, name);
        out.push(':');
        text(out, value);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_prometheus_writes_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e6, "1000000"),
            (-1.5e20, "-150000000000000000000"),
            (1e21, "1e+21"),
            (-1.25e100, "-1.25e+100"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-07"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(number(value), expected);
            let read: f64 = expected.parse().unwrap();
            assert!(read == value || read.is_nan() && value.is_nan(), "{expected} is {read}");
        }
    }

    #[test]
    fn values_of_alerts_have_an_exponent() {
        let shown = [0.0, 1.0, 0.25, -1234.5, f64::INFINITY].map(scientific);
        assert_eq!(shown, ["0e+00", "1e+00", "2.5e-01", "-1.2345e+03", "+Inf"]);
    }

    #[test]
    fn times_have_milliseconds_only_where_they_are_needed() {
        let shown = |ms| {
            let mut out = String::new();
            time(&mut out, ms);
            out
        };
        assert_eq!(shown(1_435_781_451_781), "1435781451.781");
        assert_eq!(
            (shown(5_000), shown(5_010), shown(0)),
            ("5".into(), "5.010".into(), "0".into())
        );
        assert_eq!((shown(-500), shown(-1_001)), ("-0.500".into(), "-1.001".into()));
        assert!(shown(i64::MIN).starts_with("-9223372036854775.808"));
    }

    #[test]
    fn labels_are_escaped() {
        let mut out = String::new();
        labels(&mut out, &Labels::from([("__name__", "up"), ("path", "\"\\\n\u{1}ü")]));
        assert_eq!(out, r#"{"__name__":"up","path":"\"\\\n\u0001ü"}"#);
        let read: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(read["path"], "\"\\\n\u{1}ü");
    }
}
