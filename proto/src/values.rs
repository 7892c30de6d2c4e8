//! The values that the contracts' messages carry as text and numbers, as types: each is within its limit of [`crate::limits`].
//!
//! A value that arrives is checked by `try_from`. A value that a service reads from its own database was checked when it was
//! written, and may be older than today's limits: the service takes it with `stored`.

use std::{
    fmt,
    ops::Add,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::{
    limits::{AMOUNT_MINOR, CURRENCY, CUSTOMER, ORDER_ID, QUANTITY, SKU, TIME_US},
    types::v1,
};

/// A value that is not within its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    what: &'static str,
    complaint: String,
}

impl Invalid {
    /// What is wrong with the value and what was expected, as in [`crate::limits::Violation`]; never repeats a text.
    pub fn complaint(&self) -> &str {
        &self.complaint
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.complaint)
    }
}

impl std::error::Error for Invalid {}

macro_rules! texts {
    ($($(#[$doc:meta])+ $name:ident within $limit:ident, $what:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A value from a service's own database.
            pub fn stored(text: String) -> Self {
                Self(text)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                match $limit.complaint(&text) {
                    None => Ok(Self(text)),
                    Some(complaint) => Err(Invalid { what: $what, complaint }),
                }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Invalid;

            fn try_from(text: &str) -> Result<Self, Invalid> {
                match $limit.complaint(text) {
                    None => Ok(Self(text.to_owned())),
                    Some(complaint) => Err(Invalid { what: $what, complaint }),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

texts! {
    /// The id of an order: a UUID in its canonical form.
    OrderId within ORDER_ID, "the order id";
    /// The id of a customer.
    CustomerId within CUSTOMER, "the customer";
    /// The key of a product.
    Sku within SKU, "the SKU";
    /// The ISO 4217 code of a currency.
    Currency within CURRENCY, "the currency";
}

/// The number of pieces of one product in one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Quantity(i32);

impl Quantity {
    /// A quantity from a service's own database.
    pub fn stored(number: i64) -> Self {
        Self(i32::try_from(number).unwrap_or(i32::MAX))
    }

    /// The number.
    pub fn get(self) -> i32 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = Invalid;

    fn try_from(number: i64) -> Result<Self, Invalid> {
        let within = i32::try_from(number).ok().filter(|_| QUANTITY.contains(&number));
        within.map(Self).ok_or_else(|| out_of("the quantity", number, &QUANTITY))
    }
}

impl TryFrom<i32> for Quantity {
    type Error = Invalid;

    fn try_from(number: i32) -> Result<Self, Invalid> {
        i64::from(number).try_into()
    }
}

impl From<Quantity> for i32 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

impl From<Quantity> for i64 {
    fn from(quantity: Quantity) -> Self {
        quantity.0.into()
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An amount of money in the smallest unit of its currency.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    currency: Currency,
    amount_minor: i64,
}

impl Money {
    /// An amount in the smallest unit of the currency: 1999 is 19.99 EUR.
    ///
    /// # Errors
    /// The amount is negative, or too large for a JSON number.
    pub fn new(currency: Currency, amount_minor: i64) -> Result<Self, Invalid> {
        if AMOUNT_MINOR.contains(&amount_minor) {
            Ok(Self { currency, amount_minor })
        } else {
            Err(out_of("the amount", amount_minor, &AMOUNT_MINOR))
        }
    }

    /// An amount from a service's own database.
    pub fn stored(currency: String, amount_minor: i64) -> Self {
        Self { currency: Currency::stored(currency), amount_minor }
    }

    /// Its currency.
    pub fn currency(&self) -> &Currency {
        &self.currency
    }

    /// The amount in the smallest unit of the currency.
    pub fn amount_minor(&self) -> i64 {
        self.amount_minor
    }
}

impl TryFrom<v1::Money> for Money {
    type Error = Invalid;

    fn try_from(message: v1::Money) -> Result<Self, Invalid> {
        Self::new(message.currency.try_into()?, message.amount_minor)
    }
}

impl From<Money> for v1::Money {
    fn from(Money { currency, amount_minor }: Money) -> Self {
        Self { currency: currency.into(), amount_minor }
    }
}

impl fmt::Display for Money {
    /// In the smallest unit: the number of decimals depends on the currency.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount_minor, self.currency)
    }
}

/// A point in time, in whole microseconds from 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last time that RFC 3339 can write.
    pub const LAST: Self = Self(*TIME_US.end());

    /// The current time.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(0) + since
    }

    /// The time so many microseconds after the Unix epoch. A number that is out of the limits becomes the nearest limit.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(*TIME_US.start(), *TIME_US.end()))
    }

    /// Microseconds since the Unix epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// The time that has passed since `earlier`; zero if that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros((self.0 - earlier.0).max(0).unsigned_abs())
    }
}

impl From<i64> for Timestamp {
    fn from(micros: i64) -> Self {
        Self::from_micros(micros)
    }
}

impl From<Timestamp> for i64 {
    fn from(at: Timestamp) -> Self {
        at.0
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// The time after this duration; at most [`Timestamp::LAST`].
    fn add(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }
}

fn out_of(what: &'static str, number: i64, limit: &std::ops::RangeInclusive<i64>) -> Invalid {
    let complaint = format!("is {number}; expected {} to {}", limit.start(), limit.end());
    Invalid { what, complaint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_within_its_limit_is_a_value_and_another_is_refused() {
        assert_eq!(Sku::try_from("rope-20m").unwrap().as_str(), "rope-20m");
        let refused = Sku::try_from("Tea pot".to_owned()).unwrap_err();
        assert_eq!(refused.to_string(), "the SKU is malformed; expected 1 to 64 of a-z, 0-9 and -");
        for bad in ["", "o-1", "6F0C9D9E-0D58-5E0C-9D54-1F5F0F6F2C11"] {
            assert!(OrderId::try_from(bad).is_err(), "{bad}");
        }
        assert!(CustomerId::try_from("a.b").is_err());
    }

    #[test]
    fn a_quantity_is_1_to_100() {
        assert_eq!(Quantity::try_from(100_i64).map(Quantity::get), Ok(100));
        for bad in [-1_i64, 0, 101, 257, i64::MAX] {
            let complaint = format!("is {bad}; expected 1 to 100");
            assert_eq!(Quantity::try_from(bad).unwrap_err().complaint(), complaint);
        }
    }

    #[test]
    fn an_amount_of_money_has_a_currency_and_is_not_negative() {
        let message =
            |currency: &str, amount_minor| v1::Money { currency: currency.into(), amount_minor };
        let money = Money::try_from(message("EUR", 1999)).unwrap();
        assert_eq!(
            (money.to_string(), v1::Money::from(money)),
            ("1999 EUR".into(), message("EUR", 1999))
        );
        for bad in [message("EUR", -1), message("eur", 1), message("", 1), message("EUR", i64::MAX)]
        {
            assert!(Money::try_from(bad.clone()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_time_stays_within_the_years_that_rfc_3339_can_write() {
        let at = Timestamp::from_micros(1_773_480_413_589_793);
        assert_eq!((at + Duration::from_secs(7)).since(at), Duration::from_secs(7));
        assert_eq!(at.since(at + Duration::from_secs(7)), Duration::ZERO);
        assert_eq!(Timestamp::from_micros(-1).as_micros(), 1);
        assert_eq!(at + Duration::MAX, Timestamp::LAST);
    }
}
