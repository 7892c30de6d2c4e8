//! Prometheus' own evaluation tests. They are read from its source and are no part of this tree; `published.txt` lists those that
//! do not pass, each with its reason.

mod notation;
mod script;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::PathBuf,
};

use promql::{Error, Labels, Memory, Options, Query, Range, Sample, Series, Value};
use promql_parser::label::Matchers;

use self::script::{Case, Command, Expected, Loading, Time};

/// Values may differ by this much relatively, as in Prometheus' own runner.
const ROUNDING: f64 = 1e-6;

/// A case: its file and its line.
type Place = (String, usize);

#[test]
#[ignore = "needs the source of Prometheus; the lane sets PROMETHEUS_SOURCE"]
fn published_cases_pass_unless_they_are_listed() {
    let (mut passed, mut failed) = (BTreeSet::new(), BTreeMap::new());
    for (file, text) in files() {
        run(&file, &text, &mut passed, &mut failed);
    }
    let listed = listed(include_str!("published.txt"));
    let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = String::new();
    for (place, why) in &failed {
        match listed.get(place) {
            Some(reason) => *by_reason.entry(reason.as_str()).or_default() += 1,
            None => writeln!(wrong, "{} {} does not pass: {why}", place.0, place.1).unwrap(),
        }
    }
    for place in listed.keys().filter(|place| !failed.contains_key(*place)) {
        let what = if passed.contains(place) { "passes" } else { "is no case" };
        writeln!(wrong, "{} {} {what}: remove it from published.txt", place.0, place.1).unwrap();
    }
    println!("published cases: {} passed, {} not", passed.len(), failed.len());
    by_reason.iter().for_each(|(reason, cases)| println!("  {cases} {reason}"));
    assert!(passed.len() > 500, "only {} passed: has the notation changed?", passed.len());
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "where Prometheus' source is, is no setting of the mesh"
)]
fn files() -> BTreeMap<String, String> {
    let source = std::env::var_os("PROMETHEUS_SOURCE").expect("PROMETHEUS_SOURCE names a folder");
    let folder = PathBuf::from(source).join("promql/promqltest/testdata");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let named = |file: std::fs::DirEntry| {
        (file.file_name().into_string().unwrap(), std::fs::read_to_string(file.path()).unwrap())
    };
    files.map(named).collect()
}

/// Lines of a file, a reason, and lines of the file: `functions.test: experimental function: 7 9`.
fn listed(text: &str) -> BTreeMap<Place, String> {
    let mut listed = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut parts = line.split(": ");
        let (file, reason) = (parts.next().unwrap(), parts.next().expect("a reason"));
        for case in parts.next().expect("lines").split_whitespace() {
            listed.insert((file.to_owned(), case.parse().unwrap()), reason.to_owned());
        }
    }
    listed
}

fn run(file: &str, text: &str, passed: &mut BTreeSet<Place>, failed: &mut BTreeMap<Place, String>) {
    let mut loaded = Loaded::default();
    for command in script::parse(text) {
        match command {
            Command::Clear => loaded = Loaded::default(),
            Command::Load(series) => series.into_iter().for_each(|series| loaded.add(series)),
            Command::Evaluate(case) => {
                let place = (file.to_owned(), case.line);
                match check(&loaded, &case) {
                    Ok(()) => drop(passed.insert(place)),
                    Err(why) => drop(failed.insert(place, format!("{}: {why}", case.query))),
                }
            }
        }
    }
}

/// The series of a file so far.
#[derive(Default)]
struct Loaded {
    memory: Memory,
    /// The series that have native histograms, of which the memory has nothing.
    native: Vec<Labels>,
}

impl Loaded {
    fn add(&mut self, series: Loading) {
        for sample in &series.samples {
            self.memory.append(&series.labels, *sample);
        }
        if series.is_native {
            self.native.push(series.labels);
        }
    }

    /// Whether a query reads what the memory does not have: an empty result would then prove nothing.
    fn lacks(&self, query: &Query) -> bool {
        let selects = |matchers: &Matchers, labels: &Labels| {
            matchers.matchers.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name)))
        };
        let selectors = query.selectors();
        self.native.iter().any(|labels| selectors.iter().any(|one| selects(one, labels)))
    }
}

fn check(loaded: &Loaded, case: &Case) -> Result<(), String> {
    let memory = &loaded.memory;
    if Query::parse(&case.query).is_ok_and(|query| loaded.lacks(&query)) {
        return Err("it reads native histograms".to_owned());
    }
    let result = evaluate(memory, case);
    if case.fails {
        return match result {
            Ok(value) => Err(format!("{value:?} instead of an error")),
            Err(Error::Unsupported(what)) => Err(format!("{what} is not supported at all")),
            Err(_) => Ok(()),
        };
    }
    let value = result.map_err(|error| error.to_string())?;
    compare(&value, case)?;
    // Every instant query must have the same result as a step of a range query.
    if let (Time::Instant(at_ms), Value::Vector(_)) = (case.time, &value)
        && !case.ordered
    {
        let minute = 60_000;
        let range = Range { start_ms: at_ms - minute, end_ms: at_ms + minute, step_ms: minute };
        let query = Query::parse(&case.query).map_err(|error| error.to_string())?;
        let series = query.range(memory, range, &Options::default());
        let series = series.map_err(|error| format!("as a range: {error}"))?;
        let step = |Series { labels, samples }: Series| {
            let sample = samples.into_iter().find(|sample| sample.at_ms == at_ms)?;
            Some((labels, sample))
        };
        let vector = Value::Vector(series.into_iter().filter_map(step).collect());
        compare(&vector, case).map_err(|why| format!("as a range: {why}"))?;
    }
    Ok(())
}

fn evaluate(memory: &Memory, case: &Case) -> Result<Value, Error> {
    let query = Query::parse(&case.query)?;
    let options = Options::default();
    match case.time {
        Time::Instant(at_ms) => query.instant(memory, at_ms, &options),
        Time::Range(range) => query.range(memory, range, &options).map(Value::Matrix),
    }
}

fn compare(value: &Value, case: &Case) -> Result<(), String> {
    match (value, &case.expected) {
        (Value::Scalar(sample), Expected::Scalar(expected)) if equal(sample.value, *expected) => {
            Ok(())
        }
        (Value::String(_, text), Expected::Text(expected)) if text == expected => Ok(()),
        (Value::Vector(vector), Expected::Series(expected)) => {
            if case.ordered {
                let order: Vec<_> = expected.iter().map(|(labels, _)| labels).collect();
                let actual: Vec<_> = vector.iter().map(|(labels, _)| labels).collect();
                if order != actual {
                    return Err(format!("the order is {actual:?}"));
                }
            }
            let actual = vector.iter().map(|(labels, sample)| (labels.clone(), vec![*sample]));
            compare_series(actual.collect(), expected, None)
        }
        (Value::Matrix(series), Expected::Series(expected)) => {
            let actual = series.iter().map(|one| (one.labels.clone(), one.samples.clone()));
            compare_series(actual.collect(), expected, case.moments())
        }
        (value, expected) => Err(format!("{value:?} instead of {expected:?}")),
    }
}

/// Compares values, and their moments if they are a range.
fn compare_series(
    mut actual: Vec<(Labels, Vec<Sample>)>,
    expected: &[(Labels, Vec<Option<f64>>)],
    moments: Option<Range>,
) -> Result<(), String> {
    for (labels, values) in expected {
        let Some(place) = actual.iter().position(|(known, _)| known == labels) else {
            return Err(format!("{labels} is missing"));
        };
        let (_, samples) = actual.swap_remove(place);
        let at = |step: usize| moments.map(|range| range.start_ms + range.step_ms * step as i64);
        let points = values.iter().enumerate();
        let points: Vec<_> =
            points.filter_map(|(step, value)| value.map(|value| (at(step), value))).collect();
        let same = points.len() == samples.len()
            && points.iter().zip(&samples).all(|((at_ms, value), sample)| {
                at_ms.is_none_or(|at_ms| at_ms == sample.at_ms) && equal(*value, sample.value)
            });
        if !same {
            return Err(format!("{labels} is {samples:?} instead of {points:?}"));
        }
    }
    match actual.first() {
        Some((labels, samples)) => Err(format!("{labels} with {samples:?} was not expected")),
        None => Ok(()),
    }
}

fn equal(a: f64, b: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let sum = a.abs() + b.abs();
    a != 0.0 && b != 0.0 && (a - b).abs() / sum.min(f64::MAX) < ROUNDING
}
