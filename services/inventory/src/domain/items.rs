//! The items of an order, and those for which there is not enough stock.

use chassis::{Error, Kind};
use proto::values::{Quantity, Sku};

/// A quantity of one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) sku: Sku,
    pub(crate) quantity: Quantity,
}

/// The items in the order of their SKUs, with their indices in the request. All transactions lock stock in this order, so that
/// two orders for the same products cannot deadlock.
pub(crate) fn by_sku(items: &[Item]) -> Vec<(usize, &Item)> {
    let mut sorted: Vec<_> = items.iter().enumerate().collect();
    sorted.sort_unstable_by(|(_, one), (_, other)| one.sku.cmp(&other.sku));
    sorted
}

/// An item for which there is not enough stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    /// The item's index in the request.
    pub(crate) index: usize,
    pub(crate) item: Item,
    /// `None` if the product does not exist.
    pub(crate) available: Option<i64>,
}

impl Shortage {
    /// The error that says why nothing was reserved. Unknown products come first, since no retry helps with those.
    pub(crate) fn error(shortages: &[Self]) -> Error {
        let unknown = shortages.iter().filter(|one| one.available.is_none());
        let error = unknown.fold(
            Error::new(Kind::Invalid, "not every product is known").reason("UNKNOWN_PRODUCT"),
            |error, Self { index, item, .. }| {
                let sku = item.sku.as_str();
                error.field(format!("items[{index}].sku"), format!("no product {sku:?}"))
            },
        );
        if !error.fields().is_empty() {
            return error;
        }
        shortages.iter().fold(
            Error::new(Kind::Precondition, "there is not enough in stock").reason("OUT_OF_STOCK"),
            |error, Self { index, item: Item { sku, quantity }, available }| {
                let (sku, available) = (sku.as_str(), available.unwrap_or_default());
                let what = format!("{quantity} of {sku:?} wanted, {available} available");
                error.field(format!("items[{index}].quantity"), what)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(sku: &str, quantity: i64) -> Item {
        Item { sku: sku.try_into().unwrap(), quantity: quantity.try_into().unwrap() }
    }

    #[test]
    fn items_are_sorted_by_sku_and_keep_their_index() {
        let items = [item("teapot", 1), item("mug", 2)];
        assert_eq!(by_sku(&items), [(1, &items[1]), (0, &items[0])]);
    }

    #[test]
    fn a_shortage_names_the_missing_quantity_and_an_unknown_product_comes_first() {
        let short = Shortage { index: 2, item: item("teapot", 7), available: Some(2) };
        let error = Shortage::error(std::slice::from_ref(&short));
        assert_eq!((error.kind(), error.reason_word()), (Kind::Precondition, Some("OUT_OF_STOCK")));
        assert_eq!(error.fields()[0].name, "items[2].quantity");
        assert_eq!(error.fields()[0].message, r#"7 of "teapot" wanted, 2 available"#);
        let unknown = Shortage { index: 0, item: item("mug", 1), available: None };
        let error = Shortage::error(&[short, unknown]);
        assert_eq!((error.kind(), error.fields().len()), (Kind::Invalid, 1));
        assert_eq!(error.fields()[0].name, "items[0].sku");
    }
}
