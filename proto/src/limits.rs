//! The limits of every field that reaches a service, each defined once for all ways in: REST, gRPC, Kafka and NATS.
//!
//! A text is limited in length and in its characters, a number in its range, a list in its length. Every message that a
//! service receives implements [`Limited`]; a gRPC server cannot decode one that does not (see [`crate::codec`]), and a
//! consumer calls [`check`] first. What breaks a limit is refused with all its [`Violations`]: repeating it is of no use.

mod messages;

use std::{fmt, ops::RangeInclusive};

/// Largest request of a gRPC server, in bytes: the largest that keeps all limits has some 8 KiB.
pub const REQUEST_BYTES: usize = 64 * 1024;

/// A customer's id: also a token of a NATS subject, which has no separators and no wildcards.
pub const CUSTOMER: Text = Text {
    longest: 64,
    fits: |text| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    },
    pattern: "^[A-Za-z0-9_-]+$",
    expected: "1 to 64 of A-Z, a-z, 0-9, - and _",
};

/// An order's id: a UUID in its canonical form.
pub const ORDER_ID: Text = Text {
    longest: 36,
    fits: is_uuid,
    pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    expected: "a UUID as 36 characters in lower case, e.g. 6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11",
};

/// A product's SKU.
pub const SKU: Text = Text {
    longest: 64,
    fits: |text| {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    },
    pattern: "^[a-z0-9-]+$",
    expected: "1 to 64 of a-z, 0-9 and -",
};

/// A client's own key of a request, which makes it repeatable.
pub const IDEMPOTENCY_KEY: Text = Text {
    longest: 128,
    fits: is_visible,
    pattern: "^[!-~]+$",
    expected: "1 to 128 visible ASCII characters",
};

/// A token of the payment provider. What is no token may be a card number, so no complaint repeats it.
pub const PAYMENT_TOKEN: Text = Text {
    longest: 68,
    fits: |text| {
        text.strip_prefix("tok_").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_word))
    },
    pattern: "^tok_[a-z0-9_]+$",
    expected: "tok_ and 1 to 64 of a-z, 0-9 and _",
};

/// The payment provider's id of a charge.
pub const CHARGE_ID: Text = Text {
    longest: 64,
    fits: is_visible,
    pattern: "^[!-~]+$",
    expected: "1 to 64 visible ASCII characters",
};

/// The payment provider's word for why it refused.
pub const DECLINE_REASON: Text = Text {
    longest: 64,
    fits: |text| text.bytes().all(is_word),
    pattern: "^[a-z0-9_]+$",
    expected: "1 to 64 of a-z, 0-9 and _",
};

/// An ISO 4217 code.
pub const CURRENCY: Text = Text {
    longest: 3,
    fits: |text| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
    pattern: "^[A-Z]{3}$",
    expected: "three letters A-Z, e.g. EUR",
};

/// The `next_page_token` of an earlier page.
pub const PAGE_TOKEN: Text = Text {
    longest: 512,
    fits: is_visible,
    pattern: "^[!-~]+$",
    expected: "next_page_token of an earlier page, at most 512 visible ASCII characters",
};

/// What is searched for.
pub const QUERY: Text = Text {
    longest: 200,
    fits: |text| !text.contains(char::is_control),
    pattern: "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
    expected: "at most 200 printable characters",
};

/// An event's type, e.g. `mesh.orders.v1.OrderPaid`.
pub const EVENT_TYPE: Text = Text {
    longest: 128,
    fits: |text| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_')
    },
    pattern: "^[A-Za-z0-9._]+$",
    expected: "1 to 128 of A-Z, a-z, 0-9, . and _",
};

/// Items of one order or reservation: bounds the rows that one transaction locks.
pub const ITEMS: RangeInclusive<i64> = 1..=50;

/// Pieces of one product in one order.
pub const QUANTITY: RangeInclusive<i64> = 1..=100;

/// SKUs in one question.
pub const SKUS: RangeInclusive<i64> = 0..=100;

/// Entries of one page; 0 stands for [`DEFAULT_PAGE`].
pub const PAGE_SIZE: RangeInclusive<i64> = 0..=100;

/// Entries of one page where the caller does not say.
pub const DEFAULT_PAGE: i32 = 20;

/// An amount in minor units: the largest is the largest integer that every JSON parser reads exactly, 2^53 - 1.
pub const AMOUNT_MINOR: RangeInclusive<i64> = 0..=9_007_199_254_740_991;

/// A time in microseconds since the Unix epoch; 0 is a field that was never set. The last is the end of the year 9999, the last that RFC 3339 can write.
pub const TIME_US: RangeInclusive<i64> = 1..=253_402_300_799_999_999;

/// How many statuses an order may have had: more than there are.
pub const REVISION: RangeInclusive<i64> = 1..=1000;

/// The limit of a text; a text is never empty where it has one, unless [`Violations::optional`] allows that.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Most characters.
    pub longest: usize,
    /// Whether a text that is neither empty nor too long has the right form.
    pub fits: fn(&str) -> bool,
    /// The same form as a regular expression of JSON Schema (ECMA-262), without the length.
    pub pattern: &'static str,
    /// What is expected, for people.
    pub expected: &'static str,
}

impl Text {
    /// Whether the text keeps the limit.
    pub fn allows(&self, text: &str) -> bool {
        self.complaint(text).is_none()
    }

    /// What is wrong with the text and what was expected; never repeats the text.
    pub fn complaint(&self, text: &str) -> Option<String> {
        let found = if text.is_empty() {
            "is empty".to_owned()
        // Characters are counted only of what can be short enough.
        } else if text.len() > self.longest * 4 {
            format!("has {} bytes", text.len())
        } else if text.chars().count() > self.longest {
            format!("has {} characters", text.chars().count())
        } else if !(self.fits)(text) {
            "is malformed".to_owned()
        } else {
            return None;
        };
        Some(format!("{found}; expected {}", self.expected))
    }
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

/// One field that breaks its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// A path into the message, e.g. `items[0].quantity`.
    pub field: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

/// Most violations that are collected of one message: enough to mend it, few enough for a header of an HTTP/2 response.
const MOST: usize = 16;

/// The fields of one message that break their limits, in the order of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations {
    found: Vec<Violation>,
    most: usize,
}

impl Default for Violations {
    /// Keeps as many violations as fit in a header.
    fn default() -> Self {
        Self::at_most(MOST)
    }
}

impl Violations {
    /// No violations yet; keeps the first `most`.
    pub fn at_most(most: usize) -> Self {
        Self { found: Vec::new(), most }
    }

    /// Adds a violation, unless there are enough.
    pub fn add(&mut self, field: impl fmt::Display, message: impl Into<String>) {
        if self.found.len() < self.most {
            self.found.push(Violation { field: field.to_string(), message: message.into() });
        }
    }

    /// Checks a text that must be there.
    pub fn text(&mut self, field: impl fmt::Display, text: &str, limit: &Text) {
        if let Some(complaint) = limit.complaint(text) {
            self.add(field, complaint);
        }
    }

    /// Checks a text that may be empty.
    pub fn optional(&mut self, field: impl fmt::Display, text: &str, limit: &Text) {
        if !text.is_empty() {
            self.text(field, text, limit);
        }
    }

    /// Checks a number.
    pub fn number(&mut self, field: impl fmt::Display, number: i64, limit: &RangeInclusive<i64>) {
        if !limit.contains(&number) {
            let (least, most) = (limit.start(), limit.end());
            self.add(field, format!("is {number}; expected {least} to {most}"));
        }
    }

    /// Checks how long a list is, and returns as much of it as is worth looking at.
    pub fn list<'a, T>(
        &mut self,
        field: impl fmt::Display,
        list: &'a [T],
        limit: &RangeInclusive<i64>,
    ) -> &'a [T] {
        let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
        if limit.contains(&length) {
            return list;
        }
        let (least, most) = (limit.start(), limit.end());
        self.add(field, format!("has {length} entries; expected {least} to {most}"));
        let most = usize::try_from(*most).unwrap_or(usize::MAX);
        &list[..list.len().min(most)]
    }

    /// The violations.
    pub fn as_slice(&self) -> &[Violation] {
        &self.found
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Violation { field, message }) in self.found.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{field} {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}

/// A message that violates its limits violates them again when it is repeated.
impl From<Violations> for chassis::Error {
    fn from(violations: Violations) -> Self {
        let fields = violations.as_slice().iter();
        let fields = fields.map(|one| (one.field.clone(), one.message.clone()));
        let refused =
            Self::new(chassis::Kind::Invalid, format!("the message breaks limits: {violations}"));
        fields.fold(refused, |refused, (name, message)| refused.field(name, message))
    }
}

/// A message whose fields have limits.
pub trait Limited {
    /// Adds every field that breaks its limit.
    fn limit(&self, violations: &mut Violations);
}

/// Checks every field of a message.
///
/// # Errors
/// All violations at once.
pub fn check(message: &impl Limited) -> Result<(), Violations> {
    let mut violations = Violations::default();
    message.limit(&mut violations);
    if violations.found.is_empty() { Ok(()) } else { Err(violations) }
}

#[cfg(test)]
#[path = "limits/tests.rs"]
mod tests;
