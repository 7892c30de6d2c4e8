//! The query parameters of lists.

use proto::limits::{PAGE_TOKEN, QUERY};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    domain::Mistake,
    resources::{Listing, Status},
};

/// Products to be listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProductQuery {
    /// Most products in the answer.
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<String>,
    /// Where the page begins: `next_cursor` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// Words that the SKU, the name or the description must contain.
    #[param(max_length = 200, example = "tea")]
    q: Option<String>,
}

/// Orders to be listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OrderQuery {
    /// Most orders in the answer.
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<String>,
    /// Where the page begins: `next_cursor` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// Only orders with this status.
    #[param(value_type = Option<Status>)]
    status: Option<String>,
}

impl ProductQuery {
    pub(super) fn check(self) -> Result<(Listing, String), Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let page = listing(self.limit, self.cursor, &mut mistakes);
        let words = self.q.unwrap_or_default();
        if let Some(complaint) = QUERY.complaint(&words).filter(|_| !words.is_empty()) {
            mistakes.push(mistake("q", complaint));
        }
        if mistakes.is_empty() { Ok((page, words)) } else { Err(mistakes) }
    }
}

impl OrderQuery {
    pub(super) fn check(self) -> Result<(Listing, Option<Status>), Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let page = listing(self.limit, self.cursor, &mut mistakes);
        let status = self.status.and_then(|word| {
            let found = Status::ALL.into_iter().find(|status| status.word() == word);
            if found.is_none() {
                let words = Status::ALL.map(Status::word).join(", ");
                mistakes.push(mistake(
                    "status",
                    format!("{word:?} is no status; expected one of {words}"),
                ));
            }
            found
        });
        if mistakes.is_empty() { Ok((page, status)) } else { Err(mistakes) }
    }
}

fn listing(limit: Option<String>, cursor: Option<String>, mistakes: &mut Vec<Mistake>) -> Listing {
    let limit = limit.and_then(|text| {
        let number = text.parse().ok().filter(|number| (1..=100).contains(number));
        if number.is_none() {
            mistakes.push(mistake("limit", format!("{text:?} is no limit; expected 1 to 100")));
        }
        number
    });
    let cursor = cursor.unwrap_or_default();
    if !cursor.is_empty() && !PAGE_TOKEN.allows(&cursor) {
        mistakes.push(mistake(
            "cursor",
            "is none that was given out; expected next_cursor of the page before",
        ));
    }
    Listing { limit, cursor }
}

fn mistake(field: &str, detail: impl Into<String>) -> Mistake {
    Mistake { field: field.to_owned(), detail: detail.into() }
}
