//! Products, and the pages of a list. Pure: no clock, no I/O.

mod page;

use proto::values::{Money, Sku};
use serde::{Deserialize, Serialize};

pub(crate) use page::{Page, Selection};

/// One product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) sku: Sku,
    pub(crate) name: String,
    pub(crate) description: String,
    /// The price of one piece.
    pub(crate) price: Money,
}

impl Product {
    /// The text that a search looks at.
    pub(crate) fn searchable(&self) -> String {
        format!("{} {} {}", self.name, self.sku, self.description).to_lowercase()
    }
}
