//! The functions of templates: Go's and Prometheus'.

mod texts;

use super::{Data, humanize, printf::printf, value::Value};

/// A function.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// The minimum and the maximum of arguments.
    pub(super) arguments: (usize, usize),
    pub(super) call: fn(&Data<'_>, &[Value]) -> Result<Value, String>,
}

const ANY: usize = 100;

/// `and`, `or` and `not` are part of the language: the first two evaluate only the arguments that they need.
pub(super) const FUNCTIONS: &[Function] = &[
    function("eq", 2, ANY, |_, values| equal_to_any(values)),
    function("ne", 2, 2, |_, values| Ok(Value::Bool(!is_equal(&values[0], &values[1])?))),
    function("lt", 2, 2, |_, values| {
        Ok(Value::Bool(order(values)?.is_some_and(|order| order.is_lt())))
    }),
    function("le", 2, 2, |_, values| {
        Ok(Value::Bool(order(values)?.is_some_and(|order| order.is_le())))
    }),
    function("gt", 2, 2, |_, values| {
        Ok(Value::Bool(!order(values)?.is_some_and(|order| order.is_le())))
    }),
    function("ge", 2, 2, |_, values| {
        Ok(Value::Bool(!order(values)?.is_some_and(|order| order.is_lt())))
    }),
    function("not", 1, 1, |_, values| Ok(Value::Bool(!values[0].is_true()))),
    function("len", 1, 1, |_, values| length(&values[0])),
    function("index", 2, 2, |_, values| element(&values[0], &values[1])),
    function("print", 0, ANY, |_, values| Ok(printed(values).into())),
    function("println", 0, ANY, |_, values| Ok((joined(values) + "\n").into())),
    function("printf", 1, ANY, |_, values| Ok(printf(values[0].as_text()?, &values[1..])?.into())),
    function("urlquery", 1, 1, |_, values| Ok(texts::query_escape(&values[0].to_string()).into())),
    function("urlQueryEscape", 1, 1, |_, values| {
        Ok(texts::query_escape(values[0].as_text()?).into())
    }),
    function("humanize", 1, 1, |_, values| Ok(humanize::decimal(values[0].as_number()?).into())),
    function("humanize1024", 1, 1, |_, values| Ok(humanize::binary(values[0].as_number()?).into())),
    function("humanizeDuration", 1, 1, |_, values| {
        Ok(humanize::duration(values[0].as_number()?).into())
    }),
    function("humanizePercentage", 1, 1, |_, values| {
        Ok(humanize::percentage(values[0].as_number()?).into())
    }),
    function("humanizeTimestamp", 1, 1, |_, values| {
        Ok(humanize::timestamp(values[0].as_number()?)?.into())
    }),
    function("parseDuration", 1, 1, |_, values| {
        Ok(Value::Float(crate::duration::parse(values[0].as_text()?)?.as_secs_f64()))
    }),
    function("reReplaceAll", 3, 3, |_, values| {
        texts::replace_all(&values[0], values[1].as_text()?, values[2].as_text()?)
    }),
    function("match", 2, 2, |_, values| texts::is_match(&values[0], values[1].as_text()?)),
    function("title", 1, 1, |_, values| Ok(texts::title(values[0].as_text()?).into())),
    function("toUpper", 1, 1, |_, values| Ok(values[0].as_text()?.to_uppercase().into())),
    function("toLower", 1, 1, |_, values| Ok(values[0].as_text()?.to_lowercase().into())),
    function("stripPort", 1, 1, |_, values| Ok(texts::strip_port(values[0].as_text()?).into())),
    function("stripDomain", 1, 1, |_, values| Ok(texts::strip_domain(values[0].as_text()?).into())),
    function("query", 1, 1, |data, values| {
        Ok(Value::Samples((data.query)(values[0].as_text()?)?.into()))
    }),
    function("first", 1, 1, |_, values| {
        let first =
            values[0].as_samples()?.first().ok_or("first() called on vector with no elements")?;
        Ok(Value::Sample(first.clone().into()))
    }),
    function("value", 1, 1, |_, values| Ok(Value::Float(values[0].as_sample()?.1))),
    function("label", 2, 2, |_, values| {
        Ok(values[1].as_sample()?.0.get(values[0].as_text()?).into())
    }),
    function("sortByLabel", 2, 2, |_, values| {
        let (label, mut samples) = (values[0].as_text()?, values[1].as_samples()?.to_vec());
        samples.sort_by(|(a, _), (b, _)| a.get(label).cmp(b.get(label)));
        Ok(Value::Samples(samples.into()))
    }),
    function("now", 0, 0, |data, _| Ok(Value::Float(data.now_ms as f64 / 1_000.0))),
    function("externalURL", 0, 0, |data, _| Ok(data.external_url.into())),
    function("pathPrefix", 0, 0, |data, _| Ok(texts::path(data.external_url).into())),
];

/// Functions and keywords that Prometheus knows, and this crate does not.
pub(super) const UNSUPPORTED: [&str; 18] = [
    "args",
    "block",
    "break",
    "call",
    "continue",
    "define",
    "graphLink",
    "html",
    "js",
    "safeHtml",
    "slice",
    "strvalue",
    "tableLink",
    "template",
    "tmpl",
    "toDuration",
    "toTime",
    "chart",
];

const fn function(
    name: &'static str,
    min: usize,
    max: usize,
    call: fn(&Data<'_>, &[Value]) -> Result<Value, String>,
) -> Function {
    Function { name, arguments: (min, max), call }
}

fn equal_to_any(values: &[Value]) -> Result<Value, String> {
    for other in &values[1..] {
        if is_equal(&values[0], other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// Values of different types are not compared, not even `1` and `1.0`: as in Go.
fn is_equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Int(a), Value::Int(b)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Text(a), Value::Text(b)) => Ok(a == b),
        (Value::Nil, other) | (other, Value::Nil) => Ok(*other == Value::Nil),
        _ => Err(incomparable(a, b)),
    }
}

fn incomparable(a: &Value, b: &Value) -> String {
    format!("incompatible types for comparison: {} and {}", a.kind(), b.kind())
}

/// None if one of them is not a number.
fn order(values: &[Value]) -> Result<Option<std::cmp::Ordering>, String> {
    match (&values[0], &values[1]) {
        (Value::Int(a), Value::Int(b)) => Ok(Some(a.cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
        (a, b) => Err(incomparable(a, b)),
    }
}

fn length(value: &Value) -> Result<Value, String> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::Labels(labels) => labels.len(),
        Value::Samples(samples) => samples.len(),
        other => return Err(format!("{} has no length", other.kind())),
    };
    Ok(Value::Int(length as i64))
}

fn element(value: &Value, key: &Value) -> Result<Value, String> {
    match (value, key) {
        (Value::Labels(labels), Value::Text(name)) => Ok(labels.get(name).into()),
        (Value::Samples(samples), Value::Int(place)) => {
            let sample = usize::try_from(*place).ok().and_then(|place| samples.get(place));
            let sample = sample.ok_or_else(|| format!("index {place} is out of range"))?;
            Ok(Value::Sample(sample.clone().into()))
        }
        (value, key) => Err(format!("{} has no element by {}", value.kind(), key.kind())),
    }
}

/// Go's `print` puts a space between values of which none is a string.
fn printed(values: &[Value]) -> String {
    let mut text = String::new();
    for (place, value) in values.iter().enumerate() {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if place > 0 && !is_text(value) && !is_text(&values[place - 1]) {
            text.push(' ');
        }
        text.push_str(&value.to_string());
    }
    text
}

fn joined(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")
}
