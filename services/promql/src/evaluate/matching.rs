//! Operators between two vectors: which series belong together, and what the result is called.

use std::collections::HashMap;

use crate::{
    Error, Labels,
    budget::Budget,
    columns::{ABSENT, Merge, Row, is_present},
    evaluate::arithmetic::Rule,
    plan::{Cardinality, Grouping, Matching},
};

/// The sides of an operation: a result is called after the series of the side that may have many with one signature.
struct Sides {
    many: Vec<Row>,
    one: Vec<Row>,
    /// Whether the many are the left operands.
    many_is_left: bool,
}

/// Applies an operator to every two series that belong together.
///
/// # Errors
/// [`Error::Execution`] if it is not clear which series belong together, or if two results have the same labels.
pub(crate) fn apply(
    rule: Rule,
    left: Vec<Row>,
    right: Vec<Row>,
    matching: &Matching,
    budget: &Budget,
) -> Result<Vec<Row>, Error> {
    let sides = match matching.cardinality {
        Cardinality::OneToMany => Sides { many: right, one: left, many_is_left: false },
        _ => Sides { many: left, one: right, many_is_left: true },
    };
    let ones = ones(&sides, &matching.on)?;
    let mut results = Results { rule, matching, sides: &sides, merge: Merge::default() };
    let mut pairs: HashMap<Labels, Vec<Pair>> = HashMap::new();
    for (many, row) in sides.many.iter().enumerate() {
        budget.check_time()?;
        let signature = matching.on.key(&row.labels);
        let Some(ones) = ones.get(&signature) else { continue };
        let pairs = pairs.entry(signature).or_default();
        for one in ones {
            budget.take(row.values.len())?;
            results.add(pairs, many, *one)?;
        }
    }
    Ok(results.merge.into_rows())
}

/// The series of the side that has one with each signature. Several may share a signature, if only one has a value at each step.
fn ones(sides: &Sides, on: &Grouping) -> Result<HashMap<Labels, Vec<usize>>, Error> {
    let mut ones: HashMap<Labels, Vec<usize>> = HashMap::with_capacity(sides.one.len());
    for (place, row) in sides.one.iter().enumerate() {
        ones.entry(on.key(&row.labels)).or_default().push(place);
    }
    for (signature, places) in ones.iter().filter(|(_, places)| places.len() > 1) {
        for step in 0..sides.one[places[0]].values.len() {
            let mut present = places.iter().filter(|place| has(&sides.one, **place, step));
            let (Some(first), Some(second)) = (present.next(), present.next()) else { continue };
            // Prometheus does not look at a side while the other one is empty.
            if (0..sides.many.len()).any(|place| has(&sides.many, place, step)) {
                let two = [&sides.one[*first].labels, &sides.one[*second].labels];
                return Err(duplicate(signature, two, sides.many_is_left));
            }
        }
    }
    Ok(ones)
}

fn has(rows: &[Row], place: usize, step: usize) -> bool {
    is_present(rows[place].values[step])
}

fn duplicate(signature: &Labels, two: [&Labels; 2], many_is_left: bool) -> Error {
    let side = if many_is_left { "right" } else { "left" };
    let mut two = two.map(ToString::to_string);
    two.sort();
    Error::Execution(format!(
        "found duplicate series for the match group {signature} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
        two[0], two[1]
    ))
}

/// The results so far.
struct Results<'a> {
    rule: Rule,
    matching: &'a Matching,
    sides: &'a Sides,
    merge: Merge,
}

/// Two series that belong together, and the place of their result.
#[derive(Clone, Copy)]
struct Pair {
    many: usize,
    one: usize,
    result: usize,
}

impl Results<'_> {
    /// Adds the result of two series; `pairs` are those with the same signature.
    fn add(&mut self, pairs: &mut Vec<Pair>, many: usize, one: usize) -> Result<(), Error> {
        let overlaps = |pair: &Pair| self.overlap((pair.many, pair.one), (many, one));
        if self.matching.cardinality == Cardinality::OneToOne && pairs.iter().any(overlaps) {
            return Err(Error::Execution("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)".to_owned()));
        }
        let labels = self.labels(&self.sides.many[many].labels, &self.sides.one[one].labels);
        if let Some(known) = self.merge.place(&labels)
            && pairs.iter().any(|pair| pair.result == known && overlaps(pair))
        {
            return Err(Error::Execution(
                "multiple matches for labels: grouping labels must ensure unique matches"
                    .to_owned(),
            ));
        }
        let values = self.values(many, one);
        let result = self.merge.add(Row { labels, values })?;
        pairs.push(Pair { many, one, result });
        Ok(())
    }

    fn values(&self, many: usize, one: usize) -> Vec<f64> {
        let (many, one) = (&self.sides.many[many].values, &self.sides.one[one].values);
        let value = |(many, one): (&f64, &f64)| match (is_present(*many), is_present(*one)) {
            (true, true) if self.sides.many_is_left => self.rule.apply(*many, *one, *many),
            (true, true) => self.rule.apply(*one, *many, *one),
            _ => ABSENT,
        };
        many.iter().zip(one).map(value).collect()
    }

    /// Whether two pairs of series have operands at the same step.
    fn overlap(&self, a: (usize, usize), b: (usize, usize)) -> bool {
        let both = |(many, one): (usize, usize), step: usize| {
            has(&self.sides.many, many, step) && has(&self.sides.one, one, step)
        };
        (0..self.sides.many[a.0].values.len()).any(|step| both(a, step) && both(b, step))
    }

    /// The labels of a result.
    fn labels(&self, many: &Labels, one: &Labels) -> Labels {
        let mut labels = if self.rule.drops_name() { many.without_name() } else { many.clone() };
        if self.matching.cardinality == Cardinality::OneToOne {
            labels = match &self.matching.on {
                Grouping::By(_) => self.matching.on.key(&labels),
                Grouping::Without(names) => {
                    labels.filter(|name| !names.iter().any(|known| known == name))
                }
            };
        }
        for name in &self.matching.include {
            labels = labels.with(name, one.get(name));
        }
        labels
    }
}
