//! Products, and the pages of a list.

mod page;

use std::fmt;

use proto::limits;
use serde::{Deserialize, Serialize};

pub(crate) use page::{Page, Selection};

/// A product's key: lower-case letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Sku(String);

impl Sku {
    /// `None` if the text is not a valid SKU, and so no product's.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        limits::SKU.allows(text).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sku {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = || format!("{text:?} is no SKU; expected a-z, 0-9 and -");
        Self::parse(&text).ok_or_else(expected)
    }
}

impl From<Sku> for String {
    fn from(sku: Sku) -> Self {
        sku.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) sku: Sku,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) price: Price,
}

/// The price of one piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Price {
    pub(crate) currency: String,
    pub(crate) amount_minor: i64,
}

impl Product {
    /// The text that a search looks at.
    pub(crate) fn searchable(&self) -> String {
        format!("{} {} {}", self.name, self.sku, self.description).to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_is_a_short_word() {
        for good in ["teapot", "rope-20m", "7"] {
            assert_eq!(Sku::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "Teapot", "tea pot", "crêpe", "a/b", &"x".repeat(65)] {
            assert_eq!(Sku::parse(bad), None, "{bad}");
        }
    }
}
