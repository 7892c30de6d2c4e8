//! The notation of series and their points: `up{job="a"} 1 2+3x2 _ stale`.

use std::sync::LazyLock;

use promql::Labels;
use promql_parser::parser::{Expr, parse};
use regex::Regex;

/// `2`, `2x3`, `2+1x3`.
static ITEM: LazyLock<Regex> = LazyLock::new(|| {
    let number = r"[+-]?(?:(?i:inf|nan)|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)";
    Regex::new(&format!(r"^({number})(?:([+-])({number}))?(?:x(\d+))?$")).unwrap()
});
/// `{{sum:1}}`, `{{sum:1}}x3`, `{{sum:1}}+{{sum:2}}x3`.
static HISTOGRAM: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\{\{.*?\}\}(?:[+-]\{\{.*?\}\})?(?:x(\d+))?").unwrap());

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Point {
    Value(f64),
    Stale,
    Omitted,
    /// A native histogram, which this crate does not have.
    Histogram,
}

impl Point {
    /// What an evaluation must return. A native histogram is a value that no result has.
    pub(super) fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            Self::Stale | Self::Omitted | Self::Histogram => None,
        }
    }
}

pub(super) fn number(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    digits.parse::<f64>().ok().map(|value| sign * value)
}

/// A series and its points.
pub(super) fn series(line: &str) -> (Labels, Vec<Point>) {
    let end = end_of_labels(line);
    (labels(&line[..end]), points(&line[end..]))
}

/// Where the points begin: behind the first space that is neither in quotes nor in braces.
fn end_of_labels(line: &str) -> usize {
    let (mut quoted, mut escaped, mut braces) = (None, false, false);
    for (place, c) in line.char_indices() {
        match (quoted, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(quote), c) if quote == c => quoted = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quoted = Some(c),
            (None, '{') => braces = true,
            (None, '}') => braces = false,
            (None, ' ' | '\t') if !braces && !opens_labels(&line[place..]) => return place,
            _ => {}
        }
    }
    line.len()
}

/// Whether the labels follow after spaces, and not a native histogram, which begins with two braces.
fn opens_labels(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('{') && !text.starts_with("{{")
}

fn labels(text: &str) -> Labels {
    if text.trim() == "{}" {
        return Labels::empty();
    }
    // A selector needs a condition that matches no empty value.
    let padded = match text.rsplit_once('}') {
        Some((inside, _)) if inside.trim_end().ends_with(['{', ',']) => {
            format!("{inside}padding=\"x\"}}")
        }
        Some((inside, _)) => format!("{inside},padding=\"x\"}}"),
        None => text.to_owned(),
    };
    let Ok(Expr::VectorSelector(selector)) = parse(&padded) else { panic!("labels {text}") };
    let name = selector.name.as_deref().unwrap_or_default();
    let matchers = selector.matchers.matchers.iter().filter(|matcher| matcher.name != "padding");
    let pairs =
        matchers.map(|matcher| (matcher.name.as_str().into(), matcher.value.as_str().into()));
    Labels::new([("__name__".into(), name.into())].into_iter().chain(pairs))
}

fn points(text: &str) -> Vec<Point> {
    let mut points = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = if let Some(parts) = HISTOGRAM.captures(rest) {
            let more: usize = parts.get(1).map_or(0, |more| more.as_str().parse().unwrap());
            points.extend(std::iter::repeat_n(Point::Histogram, more + 1));
            parts[0].len()
        } else {
            let end = rest.find([' ', '\t']).unwrap_or(rest.len());
            item(&rest[..end], &mut points);
            end
        };
        rest = rest[end..].trim_start();
    }
    points
}

fn item(text: &str, points: &mut Vec<Point>) {
    if text == "stale" {
        points.push(Point::Stale);
    } else if let Some(more) = text.strip_prefix('_') {
        let times = more.strip_prefix('x').map_or(1, |times| times.parse().unwrap());
        points.extend(std::iter::repeat_n(Point::Omitted, times));
    } else {
        let parts = ITEM.captures(text).unwrap_or_else(|| panic!("a point {text}"));
        let mut value = number(&parts[1]).unwrap();
        let step = parts.get(3).map_or(0.0, |step| number(step.as_str()).unwrap());
        let step = if parts.get(2).is_some_and(|sign| sign.as_str() == "-") { -step } else { step };
        let more: usize = parts.get(4).map_or(0, |more| more.as_str().parse().unwrap());
        points.push(Point::Value(value));
        for _ in 0..more {
            value += step;
            points.push(Point::Value(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_repeat_and_increase() {
        let values = |text| points(text);
        let expected = [1.0, 2.0, 5.0, 8.0].map(Point::Value);
        assert_eq!(values("1 2+3x2"), expected);
        assert_eq!(values("-1-1x1"), [-1.0, -2.0].map(Point::Value));
        assert_eq!(
            values("_x2 stale _"),
            [Point::Omitted, Point::Omitted, Point::Stale, Point::Omitted]
        );
        assert_eq!(
            values("{{sum:1 count:2}}x1 3"),
            [Point::Histogram, Point::Histogram, Point::Value(3.0)]
        );
        assert_eq!(values("1e3 Inf 0x1"), [1000.0, f64::INFINITY, 0.0, 0.0].map(Point::Value));
    }

    #[test]
    fn labels_end_where_the_points_begin() {
        let (labels, points) = series("up{a=\"x y}\", b='1'} 7");
        assert_eq!(labels, Labels::from([("__name__", "up"), ("a", "x y}"), ("b", "1")]));
        assert_eq!(points, [Point::Value(7.0)]);
        assert_eq!(series("{} 1").0, Labels::empty());
        assert_eq!(series("{a=\"\"} 1").0, Labels::empty());
    }
}
