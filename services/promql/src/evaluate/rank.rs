//! Aggregations whose results depend on single values: `topk`, `bottomk`, `count_values`; and `sort`.

use std::{cmp::Ordering, collections::HashMap};

use crate::{
    Error, Labels,
    budget::Budget,
    columns::{ABSENT, Row, is_present},
    evaluate::aggregate::Groups,
    plan::Grouping,
};

/// Which values come first. NaN always comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

impl Order {
    fn compare(self, a: f64, b: f64) -> Ordering {
        let by_number = match self {
            Self::Ascending => a.partial_cmp(&b),
            Self::Descending => b.partial_cmp(&a),
        };
        by_number.unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
    }
}

/// Sorts the series of an instant query by their values; a range query has no order.
pub(crate) fn sort(rows: &mut [Row], order: Order) {
    if rows.iter().all(|row| row.values.len() == 1) {
        rows.sort_by(|a, b| order.compare(a.values[0], b.values[0]));
    }
}

/// The first `k` series of each group at each step; those of an instant query are sorted.
///
/// # Errors
/// [`Error::Execution`] if `k` is no number of series; those of the budget.
pub(crate) fn top(
    k: &[f64],
    order: Order,
    mut rows: Vec<Row>,
    groups: &Groups,
    budget: &Budget,
) -> Result<Vec<Row>, Error> {
    let Some(limits) = limits(k)? else { return Ok(Vec::new()) };
    let members = groups.members();
    let mut kept: Vec<usize> = Vec::new();
    let mut in_order = Vec::new();
    for (step, limit) in limits.into_iter().enumerate() {
        budget.check_time()?;
        for members in &members {
            kept.clear();
            kept.extend(members.iter().filter(|row| is_present(rows[**row].values[step])));
            let value = |row: &usize| rows[*row].values[step];
            if kept.len() > limit || k.len() == 1 {
                kept.sort_by(|a, b| order.compare(value(a), value(b)));
            }
            for row in kept.drain(limit.min(kept.len())..) {
                rows[row].values[step] = ABSENT;
            }
            if k.len() == 1 {
                in_order.append(&mut kept);
            }
        }
    }
    if k.len() == 1 {
        let mut rows: Vec<_> = rows.into_iter().map(Some).collect();
        return Ok(in_order.into_iter().filter_map(|row| rows[row].take()).collect());
    }
    rows.retain(|row| row.values.iter().any(|value| is_present(*value)));
    Ok(rows)
}

/// The number of series to keep at each step; none if all are less than one.
fn limits(k: &[f64]) -> Result<Option<Vec<usize>>, Error> {
    // As `math.Max` in Go: one NaN decides.
    if k.iter().all(|k| *k < 1.0) {
        return Ok(None);
    }
    let limit = |k: &f64| match *k {
        k if k.is_nan() => Err("Parameter value is NaN".to_owned()),
        k if k <= i64::MIN as f64 => Err(format!("Scalar value {k} underflows int64")),
        k if k >= i64::MAX as f64 => Err(format!("Scalar value {k} overflows int64")),
        k => Ok(k.max(0.0) as usize),
    };
    k.iter().map(limit).collect::<Result<_, _>>().map(Some).map_err(Error::Execution)
}

/// One series a group and value, with the number of series that have this value.
///
/// # Errors
/// Those of the budget.
pub(crate) fn count_values(
    label: &str,
    rows: &[Row],
    grouping: &Grouping,
    steps: usize,
    budget: &Budget,
) -> Result<Vec<Row>, Error> {
    let mut counts: Vec<Row> = Vec::new();
    let mut places: HashMap<Labels, usize> = HashMap::new();
    for row in rows {
        budget.check_time()?;
        let mut of_value: HashMap<u64, usize> = HashMap::new();
        for (step, value) in row.values.iter().enumerate().filter(|(_, value)| is_present(**value))
        {
            let place = match of_value.get(&value.to_bits()) {
                Some(place) => *place,
                None => {
                    let labels = labels_of_value(label, *value, &row.labels, grouping);
                    let place = *places.entry(labels.clone()).or_insert(counts.len());
                    if place == counts.len() {
                        budget.take(steps)?;
                        counts.push(Row { labels, values: vec![ABSENT; steps] });
                    }
                    of_value.insert(value.to_bits(), place);
                    place
                }
            };
            let count = &mut counts[place].values[step];
            *count = if is_present(*count) { *count + 1.0 } else { 1.0 };
        }
    }
    Ok(counts)
}

fn labels_of_value(label: &str, value: f64, labels: &Labels, grouping: &Grouping) -> Labels {
    let named = labels.with(label, &text(value));
    match grouping {
        Grouping::By(names) => {
            named.filter(|name| name == label || names.iter().any(|known| known == name))
        }
        Grouping::Without(_) => grouping.key(&named),
    }
}

/// A number as Go writes it without an exponent.
fn text(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_comes_last_in_both_orders() {
        for order in [Order::Ascending, Order::Descending] {
            let mut values = [f64::NAN, 1.0, 2.0];
            values.sort_by(|a, b| order.compare(*a, *b));
            assert!(values[2].is_nan(), "{order:?}");
        }
    }

    #[test]
    fn numbers_are_written_without_exponent() {
        let texts = [1e21, 0.1, -0.0, f64::INFINITY, f64::NAN].map(text);
        assert_eq!(texts, ["1000000000000000000000", "0.1", "-0", "+Inf", "NaN"]);
    }
}
