//! Parses one line of the [Prometheus text format](https://prometheus.io/docs/instrumenting/exposition_formats/) or of
//! [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/). Names need no quotes: UTF-8 names are not supported.

use std::borrow::Cow;

/// The two formats; they differ in comments, in the unit of timestamps and in exemplars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    OpenMetrics,
}

impl Format {
    /// The format of an answer: only OpenMetrics has an end mark.
    pub(crate) fn of(text: &str) -> Self {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let ends =
            text.strip_suffix(END).is_some_and(|rest| rest.is_empty() || rest.ends_with('\n'));
        if ends { Self::OpenMetrics } else { Self::Text }
    }
}

/// The last line of OpenMetrics.
pub(crate) const END: &str = "# EOF";

/// A line that begins with `#`.
#[derive(Debug, PartialEq)]
pub(crate) enum Comment<'a> {
    Type { family: &'a str, kind: &'static str },
    Help { family: &'a str, text: Cow<'a, str> },
    Unit { family: &'a str, unit: &'a str },
    Other,
}

/// The name and the value of a label.
pub(crate) type Label<'a> = (&'a str, Cow<'a, str>);

/// The name and labels of a sample.
#[derive(Debug, PartialEq)]
pub(crate) struct Series<'a> {
    /// The number of bytes that it has in the line.
    pub(crate) length: usize,
    pub(crate) name: &'a str,
    pub(crate) labels: Vec<Label<'a>>,
}

/// What follows the series.
#[derive(Debug, PartialEq)]
pub(crate) struct Sample<'a> {
    pub(crate) value: f64,
    /// Whether the line has a timestamp of its own.
    pub(crate) has_time: bool,
    /// Labels, value and time, not yet parsed.
    pub(crate) exemplar: Option<&'a str>,
}

/// An observation with the trace it belongs to.
#[derive(Debug, PartialEq)]
pub(crate) struct Exemplar<'a> {
    pub(crate) labels: Vec<Label<'a>>,
    pub(crate) value: f64,
    pub(crate) at_ms: Option<i64>,
}

/// What a line should have had.
pub(crate) type Expected = &'static str;

/// The types of metrics.
pub(crate) const KINDS: [&str; 9] = [
    "counter",
    "gauge",
    "histogram",
    "gaugehistogram",
    "summary",
    "info",
    "stateset",
    "unknown",
    "untyped",
];

/// Parses a line that begins with `#`.
pub(crate) fn comment(line: &str, format: Format) -> Result<Comment<'_>, Expected> {
    let rest = line.trim_start_matches('#').trim_start_matches([' ', '\t']);
    let (word, rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let (family, text) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    match word {
        "HELP" | "TYPE" | "UNIT" if !is_name(family, true) => Err("a metric's name"),
        "HELP" => Ok(Comment::Help { family, text: unescape(text) }),
        "TYPE" => {
            let text = text.trim_end();
            let known = KINDS.iter().find(|kind| **kind == text).ok_or("a metric type")?;
            let kind = if *known == "untyped" { "unknown" } else { *known };
            Ok(Comment::Type { family, kind })
        }
        "UNIT" => Ok(Comment::Unit { family, unit: text.trim_end() }),
        _ if format == Format::OpenMetrics => Err("HELP, TYPE, UNIT or EOF"),
        _ => Ok(Comment::Other),
    }
}

/// Parses the beginning of a sample's line.
pub(crate) fn series(line: &str) -> Result<Series<'_>, Expected> {
    let end = line.bytes().position(|byte| !is_name_byte(byte, true)).unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    if !is_name(name, true) {
        return Err("a metric's name");
    }
    let mut found = Series { length: end, name, labels: Vec::new() };
    if rest.starts_with('{') {
        (found.labels, rest) = labels(rest)?;
        found.length = line.len() - rest.len();
    }
    Ok(found)
}

/// Parses what follows the series in a line.
pub(crate) fn sample(rest: &str, format: Format) -> Result<Sample<'_>, Expected> {
    let rest = rest.trim_start_matches([' ', '\t']);
    let end = rest.bytes().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(rest.len());
    let (value, rest) = rest.split_at(end);
    let value = number(value).ok_or("a value")?;
    let rest = rest.trim_matches([' ', '\t']);
    if rest.is_empty() {
        return Ok(Sample { value, has_time: false, exemplar: None });
    }
    let (time, exemplar) = match rest.find('#') {
        Some(at) if format == Format::OpenMetrics => {
            (rest[..at].trim_end(), Some(rest[at + 1..].trim_start()))
        }
        _ => (rest, None),
    };
    let has_time = !time.is_empty();
    if has_time && time_ms(time, format).is_none() {
        return Err("a timestamp");
    }
    Ok(Sample { value, has_time, exemplar })
}

/// Parses an exemplar.
pub(crate) fn exemplar(text: &str) -> Result<Exemplar<'_>, Expected> {
    let (labels, rest) = labels(text)?;
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().and_then(number).ok_or("a value of the exemplar")?;
    let time = words.next().map(|time| time_ms(time, Format::OpenMetrics));
    let at_ms = match time {
        Some(None) => return Err("a timestamp of the exemplar"),
        Some(at_ms) => at_ms,
        None => None,
    };
    if words.next().is_some() {
        return Err("the end of the line");
    }
    Ok(Exemplar { labels, value, at_ms })
}

fn time_ms(text: &str, format: Format) -> Option<i64> {
    match format {
        Format::Text => text.parse().ok(),
        Format::OpenMetrics => {
            number(text).filter(|seconds| seconds.is_finite()).map(|seconds| (seconds * 1e3) as i64)
        }
    }
}

/// The labels, and what follows their closing brace.
fn labels(text: &str) -> Result<(Vec<Label<'_>>, &str), Expected> {
    let skip = |text| str::trim_start_matches(text, [' ', '\t']);
    let mut rest = skip(text.strip_prefix('{').ok_or("an opening brace")?);
    let mut labels = Vec::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let end = rest.bytes().position(|byte| !is_name_byte(byte, false)).ok_or("a label")?;
        let (name, after) = rest.split_at(end);
        if !is_name(name, false) {
            return Err("a label's name");
        }
        let after = skip(skip(after).strip_prefix('=').ok_or("= after a label's name")?);
        let after = after.strip_prefix('"').ok_or("a quoted label value")?;
        let end = end_of_value(after).ok_or("the end of a label value")?;
        labels.push((name, unescape(&after[..end])));
        rest = skip(&after[end + 1..]);
        match rest.strip_prefix(',') {
            Some(after) => rest = skip(after),
            None if rest.starts_with('}') => {}
            None => return Err("a comma or a closing brace"),
        }
    }
}

/// The position of the closing quote.
fn end_of_value(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (char, chars.as_str().chars().next()) {
            ('\\', Some(escaped @ ('\\' | '"' | 'n'))) => {
                plain.push(if escaped == 'n' { '\n' } else { escaped });
                chars.next();
            }
            _ => plain.push(char),
        }
    }
    Cow::Owned(plain)
}

fn is_name(text: &str, is_metric: bool) -> bool {
    text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
        && text.bytes().all(|byte| is_name_byte(byte, is_metric))
}

fn is_name_byte(byte: u8, is_metric: bool) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || is_metric && byte == b':'
}

/// A number as Go writes it: `+Inf` and `NaN` in any case, no underscores.
pub(crate) fn number(text: &str) -> Option<f64> {
    // More digits may not fit into a double without loss.
    if (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = |number: u64, byte| number * 10 + u64::from(byte - b'0');
        return Some(text.bytes().fold(0, digits) as f64);
    }
    text.parse().ok()
}

/// A bound of a bucket or a quantile as OpenMetrics writes it, so that both formats give the same series: `1` is `1.0`.
pub(crate) fn bound(text: &str) -> Option<String> {
    let value: f64 = number(text)?;
    if value.is_nan() {
        return Some("NaN".to_owned());
    }
    if value.is_infinite() {
        return Some(if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned());
    }
    if value == 0.0 {
        return Some("0.0".to_owned());
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    // Go's shortest form uses an exponent from a million on.
    if (-4..6).contains(&exponent) {
        let plain = value.to_string();
        return Some(if plain.contains('.') { plain } else { plain + ".0" });
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    Some(format!("{digits}e{sign}{:02}", exponent.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_openmetrics_has_labels_value_and_exemplar() {
        let line = r#"rpc_bucket{method="A b",path="a\"}\\\n",le="0.005"} 90 # {trace_id="5b8e",span_id="aa"} 0.0031 1700000000.25"#;
        let found = series(line).unwrap();
        assert_eq!(found.name, "rpc_bucket");
        let labels: Vec<_> = found.labels.iter().map(|(name, value)| (*name, &**value)).collect();
        assert_eq!(labels, [("method", "A b"), ("path", "a\"}\\\n"), ("le", "0.005")]);
        let sample = sample(&line[found.length..], Format::OpenMetrics).unwrap();
        assert_eq!((sample.value, sample.has_time), (90.0, false));
        let exemplar = exemplar(sample.exemplar.unwrap()).unwrap();
        assert_eq!((exemplar.value, exemplar.at_ms), (0.0031, Some(1_700_000_000_250)));
        assert_eq!(exemplar.labels[0], ("trace_id", "5b8e".into()));
    }

    #[test]
    fn invalid_lines_say_what_is_expected() {
        for (line, expected) in [
            ("1a 1", "a metric's name"),
            ("{a=\"1\"} 1", "a metric's name"),
            ("m{a} 1", "= after a label's name"),
            ("m{a=1} 1", "a quoted label value"),
            ("m{a=\"1} 1", "the end of a label value"),
            ("m{a=\"1\" b=\"2\"} 1", "a comma or a closing brace"),
        ] {
            assert_eq!(series(line).unwrap_err(), expected, "{line}");
        }
        for (rest, expected) in
            [("", "a value"), (" x", "a value"), (" 1 x", "a timestamp"), (" 1 2 3", "a timestamp")]
        {
            assert_eq!(sample(rest, Format::Text).unwrap_err(), expected, "{rest}");
        }
        assert!(comment("# TYPE a pancake", Format::Text).is_err());
        assert!(comment("# hello", Format::OpenMetrics).is_err());
        assert_eq!(comment("# hello", Format::Text), Ok(Comment::Other));
    }

    #[test]
    fn numbers_are_those_of_go() {
        for (text, value) in [("0", 0.0), ("17", 17.0), ("1.5e3", 1500.0), ("-0.1", -0.1)] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        assert_eq!(number("+Inf"), Some(f64::INFINITY));
        assert!(number("NaN").unwrap().is_nan());
        for text in ["", "1_000", "0x1p3", "1 "] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn bounds_are_written_as_in_openmetrics() {
        for (text, bound_) in [
            ("1", "1.0"),
            ("0.005", "0.005"),
            ("+Inf", "+Inf"),
            ("100000", "100000.0"),
            ("1000000", "1e+06"),
            ("2.5e7", "2.5e+07"),
            ("0.00001", "1e-05"),
            ("0.0001", "0.0001"),
            ("0", "0.0"),
        ] {
            assert_eq!(bound(text).as_deref(), Some(bound_), "{text}");
        }
        assert_eq!(bound("wide"), None);
    }
}
