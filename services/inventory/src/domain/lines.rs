//! The lines of a request to reserve stock.

use std::collections::BTreeSet;

use chassis::{Error, Kind};
use proto::limits::{LINES, QUANTITY, SKU};

/// A quantity of one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) quantity: i64,
}

/// The lines of a request: each product once, in the order of the request, since errors refer to lines by index.
#[derive(Clone, Debug)]
pub(crate) struct Lines(Vec<Line>);

impl Lines {
    /// Checks the lines; the error contains all mistakes.
    pub(crate) fn parse(wanted: Vec<Line>) -> Result<Self, Error> {
        let mut refused = Error::new(Kind::Invalid, "these lines cannot be reserved");
        if !LINES.contains(&i64::try_from(wanted.len()).unwrap_or(i64::MAX)) {
            let what = format!("has {} lines; expected 1 to {}", wanted.len(), LINES.end());
            return Err(refused.field("items", what));
        }
        let mut seen = BTreeSet::new();
        for (index, line) in wanted.iter().enumerate() {
            if !QUANTITY.contains(&line.quantity) {
                let what = format!("is {}; expected 1 to {}", line.quantity, QUANTITY.end());
                refused = refused.field(format!("items[{index}].quantity"), what);
            }
            let is_new = seen.insert(&line.sku);
            if let Some(complaint) = SKU.complaint(&line.sku) {
                refused = refused.field(format!("items[{index}].sku"), complaint);
            } else if !is_new {
                let what = format!("{:?} is there twice; add the quantities up", line.sku);
                refused = refused.field(format!("items[{index}].sku"), what);
            }
        }
        if refused.fields().is_empty() { Ok(Self(wanted)) } else { Err(refused) }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The lines in the order of their SKUs, with their indices in the request. All transactions lock stock in this order, so
    /// that two orders for the same products cannot deadlock.
    pub(crate) fn by_sku(&self) -> Vec<(usize, &Line)> {
        let mut lines: Vec<_> = self.0.iter().enumerate().collect();
        lines.sort_unstable_by(|(_, one), (_, other)| one.sku.cmp(&other.sku));
        lines
    }

    /// Whether `others`, which are sorted by SKU, are the same lines.
    pub(crate) fn same_as(&self, others: &[Line]) -> bool {
        self.by_sku().into_iter().map(|(_, line)| line).eq(others)
    }
}

/// A line for which there is not enough stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    /// The line's index in the request.
    pub(crate) index: usize,
    pub(crate) line: Line,
    /// `None` if the product does not exist.
    pub(crate) available: Option<i64>,
}

impl Shortage {
    /// The error that says why nothing was reserved. Unknown products come first, since no retry helps with those.
    pub(crate) fn refusal(shortages: &[Self]) -> Error {
        let unknown = shortages.iter().filter(|one| one.available.is_none());
        let refused = unknown.fold(
            Error::new(Kind::Invalid, "not every product is known").reason("UNKNOWN_PRODUCT"),
            |refused, Self { index, line, .. }| {
                refused.field(format!("items[{index}].sku"), format!("no product {:?}", line.sku))
            },
        );
        if !refused.fields().is_empty() {
            return refused;
        }
        shortages.iter().fold(
            Error::new(Kind::Precondition, "there is not enough in stock").reason("OUT_OF_STOCK"),
            |refused, Self { index, line, available }| {
                let available = available.unwrap_or_default();
                let what =
                    format!("{} of {:?} wanted, {available} available", line.quantity, line.sku);
                refused.field(format!("items[{index}].quantity"), what)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines<const N: usize>(lines: [(&str, i64); N]) -> Vec<Line> {
        lines.map(|(sku, quantity)| Line { sku: sku.into(), quantity }).into()
    }

    #[test]
    fn every_mistake_is_told_by_its_field() {
        let wanted = lines([("teapot", 0), ("mug", 1), ("mug", -3), ("Tea pot", 1)]);
        let error = Lines::parse(wanted).unwrap_err();
        let told = error.fields().iter().map(|field| format!("{} {}", field.name, field.message));
        let expected = [
            "items[0].quantity is 0; expected 1 to 100",
            "items[2].quantity is -3; expected 1 to 100",
            "items[2].sku \"mug\" is there twice; add the quantities up",
            "items[3].sku is malformed; expected 1 to 64 of a-z, 0-9 and -",
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert_eq!(Lines::parse(vec![]).unwrap_err().fields()[0].name, "items");
    }

    #[test]
    fn the_same_lines_in_another_order_are_the_same() {
        let wanted = Lines::parse(lines([("teapot", 1), ("mug", 2)])).unwrap();
        assert!(wanted.same_as(&lines([("mug", 2), ("teapot", 1)])));
        assert!(!wanted.same_as(&lines([("mug", 2)])));
        assert!(!wanted.same_as(&lines([("mug", 2), ("teapot", 2)])));
    }

    #[test]
    fn a_refusal_names_what_is_missing_and_what_is_there() {
        let [teapot, mug] = [("teapot", 7), ("mug", 1)].map(|line| lines([line]).remove(0));
        let short = Shortage { index: 2, line: teapot, available: Some(2) };
        let error = Shortage::refusal(std::slice::from_ref(&short));
        assert_eq!((error.kind(), error.reason_word()), (Kind::Precondition, Some("OUT_OF_STOCK")));
        assert_eq!(error.fields()[0].name, "items[2].quantity");
        assert_eq!(error.fields()[0].message, r#"7 of "teapot" wanted, 2 available"#);
        let error = Shortage::refusal(&[short, Shortage { index: 0, line: mug, available: None }]);
        assert_eq!((error.kind(), error.fields().len()), (Kind::Invalid, 1));
        assert_eq!(error.fields()[0].name, "items[0].sku");
    }
}
