//! The [scripts](https://github.com/prometheus/prometheus/blob/main/promql/promqltest/README.md) of the cases: `load`, `clear` and
//! `eval`, each up to an empty line.

use std::sync::LazyLock;

use promql::{Labels, Query, Range, STALE, Sample};
use promql_parser::parser::Expr;
use regex::Regex;

use super::notation::{self, Point};

static INSTANT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^eval(?:_(\w+))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$").unwrap());
static RANGE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^eval(?:_(\w+))?\s+range\s+(from\s+.+\s+step\s+.+?)\s+(.+)$").unwrap()
});

pub(super) enum Command {
    Clear,
    Load(Vec<Loading>),
    Evaluate(Case),
}

/// A series of a `load`.
pub(super) struct Loading {
    pub(super) labels: Labels,
    pub(super) samples: Vec<Sample>,
    pub(super) is_native: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Time {
    Instant(i64),
    Range(Range),
}

#[derive(Debug)]
pub(super) enum Expected {
    Scalar(f64),
    Text(String),
    /// Series in their order, a point for each step.
    Series(Vec<(Labels, Vec<Option<f64>>)>),
}

pub(super) struct Case {
    pub(super) line: usize,
    pub(super) query: String,
    pub(super) time: Time,
    pub(super) fails: bool,
    pub(super) ordered: bool,
    pub(super) expected: Expected,
    /// The moments of the samples that a range selector must return.
    range_vector: Option<Range>,
}

impl Case {
    /// The moments of the expected points; nothing for one point.
    pub(super) fn moments(&self) -> Option<Range> {
        match self.time {
            Time::Range(range) => Some(range),
            Time::Instant(_) => self.range_vector,
        }
    }

    /// Reads a line below the query.
    fn expect(&mut self, line: &str) {
        if let Some(moments) = line.strip_prefix("expect range vector ") {
            self.range_vector = Some(range(moments));
        } else if let Some(text) = line.strip_prefix("expect string ") {
            self.expected = Expected::Text(literal(text));
        } else if let Some(annotation) = line.strip_prefix("expect ") {
            // Warnings and notes are not compared: this crate has none.
            self.fails |= annotation.starts_with("fail");
            self.ordered |= annotation.starts_with("ordered");
        } else if line.starts_with("expected_fail") {
        } else if let Some(value) = notation::number(line) {
            self.expected = Expected::Scalar(value);
        } else if let Expected::Series(series) = &mut self.expected {
            let (labels, points) = notation::series(line);
            series.push((labels, points.into_iter().map(Point::value).collect()));
        }
    }
}

pub(super) fn parse(text: &str) -> Vec<Command> {
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .map(|line| if line.starts_with('#') { "" } else { line })
        .collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while let Some(&line) = lines.get(at) {
        let block: Vec<_> =
            lines[at + 1..].iter().take_while(|line| !line.is_empty()).copied().collect();
        if line.starts_with("clear") {
            commands.push(Command::Clear);
            at += 1;
        } else if let Some(rest) = line.strip_prefix("load") {
            let step_ms = duration(rest.trim_start_matches("_with_nhcb").trim());
            let mut series: Vec<_> = block.iter().filter_map(|line| load(line, step_ms)).collect();
            if rest.starts_with("_with_nhcb") {
                series.extend(series.iter().filter_map(native).collect::<Vec<_>>());
            }
            commands.push(Command::Load(series));
            at += 1 + block.len();
        } else if line.starts_with("eval") {
            let mut case = case(line, at + 1);
            block.iter().for_each(|line| case.expect(line));
            commands.push(Command::Evaluate(case));
            at += 1 + block.len();
        } else {
            assert!(line.is_empty(), "line {}: {line}", at + 1);
            at += 1;
        }
    }
    commands
}

/// A series of a `load`; nothing for the start timestamps of a series.
fn load(line: &str, step_ms: i64) -> Option<Loading> {
    if line.split_whitespace().next()?.ends_with("@st") {
        return None;
    }
    let (labels, points) = notation::series(line);
    let is_native = points.contains(&Point::Histogram);
    let sample = |(step, point): (usize, Point)| {
        let at_ms = step_ms * step as i64;
        let value = if matches!(point, Point::Stale) { STALE } else { point.value()? };
        Some(Sample { at_ms, value })
    };
    let samples = points.into_iter().enumerate().filter_map(sample).collect();
    Some(Loading { labels, samples, is_native })
}

/// The native histogram that `load_with_nhcb` makes of a series of a classic one.
fn native(classic: &Loading) -> Option<Loading> {
    let name = classic.labels.metric_name();
    let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end))?;
    let rest = classic.labels.iter().filter(|(name, _)| **name != *"le").cloned();
    let labels = Labels::new(rest.chain([("__name__".into(), base.into())]));
    Some(Loading { labels, samples: Vec::new(), is_native: true })
}

fn case(line: &str, number: usize) -> Case {
    let (parts, is_range) = match RANGE.captures(line) {
        Some(parts) => (parts, true),
        None => (INSTANT.captures(line).expect(line), false),
    };
    let part = |place| parts.get(place).map_or("", |part| part.as_str());
    Case {
        line: number,
        query: part(3).to_owned(),
        time: if is_range { Time::Range(range(part(2))) } else { Time::Instant(duration(part(2))) },
        fails: part(1) == "fail",
        ordered: part(1) == "ordered",
        expected: Expected::Series(Vec::new()),
        range_vector: None,
    }
}

/// `from 0 to 10m step 1m`.
fn range(text: &str) -> Range {
    let words: Vec<_> = text.split_whitespace().collect();
    let ["from", start, "to", end, "step", step] = words[..] else { panic!("{text}") };
    Range { start_ms: duration(start), end_ms: duration(end), step_ms: duration(step) }
}

/// Milliseconds of `1h30m`, `0` or `10s`.
fn duration(text: &str) -> i64 {
    let mut total = 0.0;
    let mut rest = text;
    while let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let (number, after) = rest.split_at(end);
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let ms = match unit {
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 60e3,
            "h" => 3600e3,
            "d" => 86_400e3,
            "w" => 7.0 * 86_400e3,
            "y" => 365.0 * 86_400e3,
            _ => panic!("a duration {text}"),
        };
        total += number.parse::<f64>().expect(text) * ms;
        rest = after;
    }
    if !rest.is_empty() {
        total += rest.parse::<f64>().expect(text) * 1e3;
    }
    total as i64
}

fn literal(text: &str) -> String {
    match Query::parse(text).unwrap().expression() {
        Expr::StringLiteral(text) => text.val.clone(),
        other => panic!("{other} instead of a string"),
    }
}
