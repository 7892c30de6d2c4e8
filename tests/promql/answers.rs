//! Answers of two engines to the same question, and how they differ.

use std::{collections::BTreeMap, fmt};

use promql::{Labels, Query, Sample, Series, Value};
use promql_parser::parser::{
    Expr,
    token::{T_BOTTOMK, T_TOPK},
};

/// The largest relative difference of two values that counts as rounding.
const ROUNDING: f64 = 1e-9;

/// What an engine answers: for a range, a matrix.
pub(crate) type Answer = Result<Value, Refusal>;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The `errorType` of Prometheus' API.
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.text)
    }
}

/// How two equal values may differ: relatively, and not at all if one of them is not finite.
fn difference(a: f64, b: f64) -> f64 {
    if a == b || (a.is_nan() && b.is_nan()) {
        return 0.0;
    }
    let difference = (a - b).abs() / a.abs().max(b.abs());
    if difference.is_nan() { f64::INFINITY } else { difference }
}

/// What was compared, and what differs.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) cases: usize,
    /// Cases whose answer has at least one value.
    pub(crate) with_values: usize,
    /// Cases that both refuse.
    pub(crate) refused: usize,
    pub(crate) values: usize,
    /// The largest relative difference of two values.
    pub(crate) worst: f64,
    /// A line for each case that differs.
    pub(crate) differing: Vec<String>,
}

impl Report {
    /// Compares; the line of a case names all that is needed to repeat it.
    pub(crate) fn compare(&mut self, case: &str, theirs: &Answer, ours: &Answer) {
        self.cases += 1;
        let outcome = match (theirs, ours) {
            (Err(theirs), Err(ours)) if theirs.kind == ours.kind => {
                self.refused += 1;
                return;
            }
            (Err(theirs), Err(ours)) => Err(format!("theirs is {theirs}, ours {ours}")),
            (Ok(_), Err(ours)) => Err(format!("only we refuse it: {ours}")),
            (Err(theirs), Ok(_)) => Err(format!("only Prometheus refuses it: {theirs}")),
            (Ok(theirs), Ok(ours)) => self.compare_values(case, theirs, ours),
        };
        if let Err(why) = outcome {
            self.differing.push(format!("{case} -- {why}"));
        }
    }

    fn compare_values(&mut self, case: &str, theirs: &Value, ours: &Value) -> Result<(), String> {
        if is_ordered(case) && !same_order(theirs, ours) {
            return Err(format!("theirs in their order is {theirs:?}, ours {ours:?}"));
        }
        let (mut theirs, mut ours) = (flat(theirs)?, flat(ours)?);
        if chooses(case) && !theirs.keys().eq(ours.keys()) {
            (theirs, ours) = (by_rank(theirs), by_rank(ours));
        }
        self.with_values += usize::from(!theirs.is_empty());
        if let Some((key, _)) = theirs.iter().find(|(key, _)| !ours.contains_key(*key)) {
            return Err(format!("we lack {}", shown(key)));
        }
        if let Some((key, value)) = ours.iter().find(|(key, _)| !theirs.contains_key(*key)) {
            return Err(format!("only we have {} with {value:?}", shown(key)));
        }
        for (key, their) in &theirs {
            let our = &ours[key];
            if their.1 != our.1 {
                return Err(format!("{}: theirs is {their:?}, ours {our:?}", shown(key)));
            }
            self.values += 1;
            let difference = difference(their.0, our.0);
            if difference > ROUNDING {
                let key = shown(key);
                return Err(format!(
                    "{key}: theirs is {}, ours {} ({difference:e})",
                    their.0, our.0
                ));
            }
            self.worst = self.worst.max(difference);
        }
        Ok(())
    }

    /// Figures and differing cases, for the log of a run.
    pub(crate) fn print(&self, what: &str) {
        println!(
            "{what}: {} cases, {} with values ({} in all), {} refused by both, {} differ, worst relative difference {:e}",
            self.cases,
            self.with_values,
            self.values,
            self.refused,
            self.differing.len(),
            self.worst,
        );
        self.differing.iter().for_each(|case| println!("  {case}"));
    }
}

/// The labels of a value and its moment.
type Key = (Option<Labels>, i64);

fn shown((labels, at_ms): &Key) -> String {
    labels.as_ref().map_or("the scalar".to_owned(), |labels| format!("{labels} at {at_ms}"))
}

type Values = BTreeMap<Key, (f64, Option<String>)>;

/// The query of a case.
fn parsed(case: &str) -> Option<Expr> {
    let query = case.split_once(": ").map_or(case, |(_, query)| query);
    Query::parse(query).ok().map(|query| query.expression().clone())
}

/// Whether the outermost aggregation chooses series: which of several with the same value is not defined.
fn chooses(case: &str) -> bool {
    matches!(parsed(case), Some(Expr::Aggregate(of)) if matches!(of.op.id(), T_TOPK | T_BOTTOMK))
}

/// Whether the outermost function sorts.
fn is_ordered(case: &str) -> bool {
    matches!(parsed(case), Some(Expr::Call(call)) if call.func.name.starts_with("sort"))
}

/// Whether the values of a vector are in the same order, whatever series have them: which of several with the same value is
/// first is not defined.
fn same_order(theirs: &Value, ours: &Value) -> bool {
    let (Value::Vector(theirs), Value::Vector(ours)) = (theirs, ours) else { return true };
    theirs.len() != ours.len()
        || theirs.iter().zip(ours).all(|((_, a), (_, b))| difference(a.value, b.value) <= ROUNDING)
}

/// The same values at the same moments, but with their rank instead of labels.
fn by_rank(values: Values) -> Values {
    let mut sorted: Vec<_> = values.into_iter().map(|((_, at_ms), value)| (at_ms, value)).collect();
    sorted.sort_by(|(a_ms, (a, _)), (b_ms, (b, _))| a_ms.cmp(b_ms).then(a.total_cmp(b)));
    let rank = |place: usize| Labels::from([("rank", place.to_string().as_str())]);
    let ranked = sorted.into_iter().enumerate();
    ranked.map(|(place, (at_ms, value))| ((Some(rank(place)), at_ms), value)).collect()
}

/// Every value by its labels and moment, with its text if it is a string.
fn flat(value: &Value) -> Result<Values, String> {
    let number = |sample: &Sample| (sample.value, None);
    let mut values = BTreeMap::new();
    let mut add = |key: Key, value| match values.insert(key.clone(), value) {
        Some(_) => Err(format!("{} is there twice", shown(&key))),
        None => Ok(()),
    };
    match value {
        Value::Scalar(sample) => add((None, sample.at_ms), number(sample))?,
        Value::String(at_ms, text) => add((None, *at_ms), (0.0, Some(text.clone())))?,
        Value::Vector(series) => {
            for (labels, sample) in series {
                add((Some(labels.clone()), sample.at_ms), number(sample))?;
            }
        }
        Value::Matrix(series) => {
            for Series { labels, samples } in series {
                for sample in samples {
                    add((Some(labels.clone()), sample.at_ms), number(sample))?;
                }
            }
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(value: f64) -> Answer {
        Ok(Value::Scalar(Sample { at_ms: 1, value }))
    }

    fn refused(kind: &str) -> Answer {
        Err(Refusal { kind: kind.to_owned(), text: "no".to_owned() })
    }

    fn differing(theirs: &Answer, ours: &Answer) -> usize {
        let mut report = Report::default();
        report.compare("case", theirs, ours);
        report.differing.len()
    }

    #[test]
    fn rounding_is_no_difference() {
        assert_eq!(differing(&scalar(1.0), &scalar(1.0 + 1e-12)), 0);
        assert_eq!(differing(&scalar(f64::NAN), &scalar(-f64::NAN)), 0);
        assert_eq!(differing(&scalar(f64::INFINITY), &scalar(f64::INFINITY)), 0);
    }

    #[test]
    fn another_value_another_type_and_an_error_are_differences() {
        assert_eq!(differing(&scalar(1.0), &scalar(1.0 + 1e-8)), 1);
        assert_eq!(differing(&scalar(0.0), &scalar(1e-300)), 1);
        assert_eq!(differing(&scalar(f64::INFINITY), &scalar(1.0)), 1);
        assert_eq!(differing(&scalar(f64::NAN), &scalar(1.0)), 1);
        assert_eq!(differing(&scalar(1.0), &refused("execution")), 1);
        assert_eq!(differing(&refused("bad_data"), &refused("execution")), 1);
        assert_eq!(differing(&refused("bad_data"), &refused("bad_data")), 0);
        let labels = Labels::empty();
        let vector = Ok(Value::Vector(vec![(labels, Sample { at_ms: 1, value: 1.0 })]));
        assert_eq!(differing(&scalar(1.0), &vector), 1);
        assert_eq!(differing(&Ok(Value::Vector(Vec::new())), &vector), 1);
    }

    #[test]
    fn which_of_equal_series_is_chosen_is_no_difference() {
        let of = |job: &str, value| {
            let sample = Sample { at_ms: 1, value };
            Ok(Value::Vector(vec![(Labels::from([("job", job)]), sample)]))
        };
        for (query, expected) in [("topk(1, up)", 0), ("bottomk by (job) (1, up)", 0), ("up", 1)] {
            let mut report = Report::default();
            report.compare(&format!("at 1: {query}"), &of("a", 1.0), &of("b", 1.0));
            assert_eq!(report.differing.len(), expected, "{query}");
            report.compare(&format!("at 1: {query}"), &of("a", 1.0), &of("b", 2.0));
            assert_eq!(report.differing.len(), expected + 1, "{query}");
        }
    }

    #[test]
    fn another_order_of_a_sorted_vector_is_a_difference() {
        let of = |jobs: [(&str, f64); 2]| {
            let one = |(job, value)| (Labels::from([("job", job)]), Sample { at_ms: 1, value });
            Ok(Value::Vector(jobs.map(one).to_vec()))
        };
        let (theirs, ours) = (of([("a", 1.0), ("b", 2.0)]), of([("b", 2.0), ("a", 1.0)]));
        for (query, expected) in [("sort(up)", 1), ("up", 0)] {
            let mut report = Report::default();
            report.compare(&format!("at 1: {query}"), &theirs, &ours);
            assert_eq!(report.differing.len(), expected, "{query}");
        }
    }

    #[test]
    fn a_series_that_is_there_twice_is_a_difference() {
        let one = (Labels::empty(), Sample { at_ms: 1, value: 1.0 });
        let twice = Ok(Value::Vector(vec![one.clone(), one]));
        assert_eq!(differing(&twice, &twice), 1);
    }
}
