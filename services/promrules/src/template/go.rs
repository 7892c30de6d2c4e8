//! Numbers as Go writes them: <https://pkg.go.dev/fmt>.

/// A number by the verb `e`, `f` or `g` with a precision; without one, with as many digits as it needs.
pub(super) fn float(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    match (verb.to_ascii_lowercase(), precision) {
        ('f', Some(precision)) => format!("{value:.precision$}"),
        ('f', None) => format!("{value}"),
        ('e', precision) => exponential(value, precision),
        (_, precision) => general(value, precision),
    }
}

/// `1.5e+06`: the exponent has a sign and at least two digits.
fn exponential(value: f64, precision: Option<usize>) -> String {
    let text =
        precision.map_or_else(|| format!("{value:e}"), |digits| format!("{value:.digits$e}"));
    let (digits, exponent) = split(&text);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// The shorter of `e` and `f`, as `g` chooses it, without zeros at the end.
fn general(value: f64, precision: Option<usize>) -> String {
    let precision = precision.map(|digits| digits.max(1));
    let text = match precision {
        Some(digits) => format!("{value:.0$e}", digits - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = split(&text);
    let significant = mantissa.trim_start_matches('-').replace('.', "");
    let digits = significant.trim_end_matches('0').len().max(1) as i32;
    let largest = match precision.map(|digits| i32::try_from(digits).unwrap_or(i32::MAX)) {
        None => 6,
        Some(precision) if precision > digits && digits > exponent => digits,
        Some(precision) => precision,
    };
    if exponent < -4 || exponent >= largest {
        exponential(value, Some((digits - 1) as usize))
    } else {
        format!("{value:.0$}", (digits - 1 - exponent).max(0) as usize)
    }
}

/// `-1.5e6` → `-1.5` and 6.
fn split(text: &str) -> (&str, i32) {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    (digits, exponent.parse().unwrap_or(0))
}
