//! Queries over a few series, written as text.
//!
//! A line is a series: its name, its labels, and its samples, one a minute from moment zero on. `_` is a gap, `stale` ends the series,
//! `1+2x3` is `1 3 5 7`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod aggregations;
mod functions;
mod fuzz;
mod limits;
mod operators;
mod selectors;
mod speed;
mod subqueries;

use promql::{Error, Labels, Memory, Options, Query, Range, STALE, Sample, Value};

const MINUTE: i64 = 60_000;

/// Series to query.
struct Series(Memory);

impl Series {
    fn new(lines: &str) -> Self {
        let mut memory = Memory::default();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let name_end = line.find('}').map_or_else(|| line.find(' ').unwrap(), |at| at + 1);
            let (name, samples) = line.split_at(name_end);
            let values = samples.split_whitespace().flat_map(values);
            for (at, value) in values.enumerate() {
                if let Some(value) = value {
                    memory.append(&labels(name), Sample { at_ms: at as i64 * MINUTE, value });
                }
            }
        }
        Self(memory)
    }

    /// The result at a minute, one line a series, sorted.
    fn at(&self, minute: i64, query: &str) -> Vec<String> {
        let mut lines = self.in_order(minute, query);
        lines.sort();
        lines
    }

    /// The result at a minute, in its own order.
    fn in_order(&self, minute: i64, query: &str) -> Vec<String> {
        match self.instant(minute, query).unwrap() {
            Value::Scalar(sample) => vec![sample.value.to_string()],
            Value::Vector(vector) => {
                vector.iter().map(|(labels, sample)| format!("{labels} {}", sample.value)).collect()
            }
            Value::Matrix(series) => series.iter().map(line).collect(),
            Value::String(_, text) => vec![text],
        }
    }

    fn instant(&self, minute: i64, query: &str) -> Result<Value, Error> {
        Query::parse(query)?.instant(&self.0, minute * MINUTE, &Options::default())
    }

    /// The error at a minute.
    fn error(&self, minute: i64, query: &str) -> String {
        self.instant(minute, query).unwrap_err().to_string()
    }

    /// The result at every minute until the given one, as `labels minute:value minute:value`.
    fn until(&self, minute: i64, query: &str) -> Vec<String> {
        self.range(minute, query).unwrap().iter().map(line).collect()
    }

    fn range(&self, minute: i64, query: &str) -> Result<Vec<promql::Series>, Error> {
        let range = Range { start_ms: 0, end_ms: minute * MINUTE, step_ms: MINUTE };
        Query::parse(query)?.range(&self.0, range, &Options::default())
    }
}

fn line(series: &promql::Series) -> String {
    let sample = |sample: &Sample| format!(" {}:{}", sample.at_ms as f64 / 60_000.0, sample.value);
    series.labels.to_string() + &series.samples.iter().map(sample).collect::<String>()
}

fn labels(text: &str) -> Labels {
    let (name, rest) = text.split_once('{').unwrap_or((text, ""));
    let pairs = rest.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.trim(), value.trim().trim_matches('"')));
    let all = pairs.chain([("__name__", name)]);
    Labels::new(all.map(|(name, value)| (name.into(), value.into())))
}

fn values(text: &str) -> Vec<Option<f64>> {
    if let Some((first, rest)) = text.split_once('+') {
        let (step, times) = rest.split_once('x').unwrap();
        let [first, step, times] = [first, step, times].map(|text| text.parse::<f64>().unwrap());
        return (0..=times as u32).map(|n| Some(first + step * f64::from(n))).collect();
    }
    vec![match text {
        "_" => None,
        "stale" => Some(STALE),
        number => Some(number.parse().unwrap()),
    }]
}
