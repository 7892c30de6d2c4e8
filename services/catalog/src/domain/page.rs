//! The products of a page, and the token of the next page.

use proto::{
    limits::{self, Violations},
    values::Sku,
};
use serde::{Deserialize, Serialize};

use super::Product;

/// The products that a request selects. Requests that differ only in the order, case or repetition of words are the same
/// selection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Selection {
    size: usize,
    after: Option<Sku>,
    words: Vec<String>,
}

impl Selection {
    /// Reads a request, in which 0 and the empty text stand for the default.
    ///
    /// # Errors
    /// Names each part of the request that is wrong.
    pub(crate) fn parse(size: i32, token: &str, query: &str) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        violations.number("page_size", size.into(), &limits::PAGE_SIZE);
        violations.optional("query", query, &limits::QUERY);
        let after = read_token(token);
        if after.is_none() && !token.is_empty() {
            violations
                .add("page_token", "is no token; expected next_page_token of an earlier page");
        }
        if !violations.as_slice().is_empty() {
            return Err(violations);
        }
        let size = if size == 0 { limits::DEFAULT_PAGE } else { size };
        let mut words: Vec<_> = query.split_whitespace().map(str::to_lowercase).collect();
        words.sort_unstable();
        words.dedup();
        Ok(Self { size: size.unsigned_abs() as usize, after, words })
    }

    /// The last SKU of the previous page; for the first page the empty text, which is less than all SKUs.
    pub(crate) fn after(&self) -> &str {
        self.after.as_ref().map_or("", Sku::as_str)
    }

    /// The words that the searchable text of a product must contain, in lower case.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// The number of products to read: one more than the page has, to see whether there is a next page.
    pub(crate) fn limit(&self) -> usize {
        self.size + 1
    }

    /// The page, made of the at most [`Selection::limit`] products that were read.
    pub(crate) fn page(&self, mut found: Vec<Product>) -> Page {
        let more = found.len() > self.size;
        found.truncate(self.size);
        let next_token = found.last().filter(|_| more).map(|last| token(&last.sku));
        Page { products: found, next_token: next_token.unwrap_or_default() }
    }
}

/// Some products, and the token of the next page.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) products: Vec<Product>,
    /// Empty on the last page.
    pub(crate) next_token: String,
}

/// A page token is the last SKU in hexadecimal: opaque, so that clients do not construct one and rely on its form.
fn token(last: &Sku) -> String {
    last.as_str().bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn read_token(token: &str) -> Option<Sku> {
    let digits = token.as_bytes().chunks(2);
    let bytes: Option<Vec<_>> = digits.map(|pair| byte(pair.try_into().ok()?)).collect();
    Sku::try_from(str::from_utf8(&bytes?).ok()?).ok()
}

fn byte([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use proto::values::Money;

    use super::*;

    fn product(sku: &str) -> Product {
        let price = Money::stored("EUR".into(), 990);
        Product { sku: sku.try_into().unwrap(), name: sku.into(), description: sku.into(), price }
    }

    #[test]
    fn the_token_of_a_page_selects_the_next_page() {
        let first = Selection::parse(2, "", "").unwrap();
        let page = first.page(["bowl", "mug", "pan"].map(product).into());
        assert_eq!(page.products, ["bowl", "mug"].map(product));
        let second = Selection::parse(2, &page.next_token, "").unwrap();
        assert_eq!(second.after(), "mug");
        assert_eq!(second.page(vec![product("pan")]).next_token, "");
    }

    #[test]
    fn queries_that_differ_in_case_order_or_repetition_are_the_same_selection() {
        let asked = Selection::parse(20, "", "  Cast-iron CRÊPE crêpe ").unwrap();
        assert_eq!(asked, Selection::parse(0, "", "crêpe cast-iron").unwrap());
        assert_eq!(asked.words(), ["cast-iron", "crêpe"]);
    }

    #[test]
    fn an_invalid_request_is_refused_with_the_name_of_its_field() {
        let long = "x".repeat(201);
        for (size, token, query, field) in [
            (-1, "", "", "page_size"),
            (101, "", "", "page_size"),
            (1, "teapot", "", "page_token"),
            (1, "7", "", "page_token"),
            (1, "+f", "", "page_token"),
            (1, "2f", "", "page_token"),
            (1, "ffff", "", "page_token"),
            (1, "", long.as_str(), "query"),
            (1, "", "\0", "query"),
        ] {
            let violations = Selection::parse(size, token, query).unwrap_err();
            assert_eq!(violations.as_slice()[0].field, field, "{size} {token:?}");
        }
    }
}
