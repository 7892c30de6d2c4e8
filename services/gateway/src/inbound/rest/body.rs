//! What clients send. Every part may be missing, so that one answer reports all that is missing.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use utoipa::ToSchema;

use crate::domain::{Draft, DraftLine};

/// An order to be placed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceOrder {
    /// What is wanted; each product once.
    #[schema(value_type = Vec<OrderLine>, required, nullable = false, min_items = 1, max_items = 50)]
    items: Option<Vec<Object<OrderLine>>>,
    /// How it is paid: a token of the payment provider. Here it also decides what the provider does: `tok_ok`, `tok_declined`,
    /// `tok_slow` (3 s), `tok_flaky` (fails twice), `tok_down` (never answers), `tok_lost` (charges,
    /// and never answers).
    #[schema(
        examples("tok_ok"),
        required,
        nullable = false,
        pattern = "^tok_[a-z0-9_]{1,64}$",
        min_length = 5,
        max_length = 68
    )]
    payment_token: Option<String>,
}

/// What is wanted of one product.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderLine {
    /// The product.
    #[schema(
        examples("teapot"),
        required,
        nullable = false,
        pattern = "^[a-z0-9-]{1,64}$",
        min_length = 1,
        max_length = 64
    )]
    sku: Option<String>,
    /// Pieces.
    #[schema(value_type = i32, examples(2), required, nullable = false, minimum = 1, maximum = 100)]
    quantity: Option<Whole>,
}

impl PlaceOrder {
    pub(super) fn draft(self, idempotency_keys: Vec<Vec<u8>>) -> Draft {
        let line = |Object(line): Object<OrderLine>| DraftLine {
            sku: line.sku,
            quantity: line.quantity.map(|Whole(number)| number),
        };
        let lines = self.items.map(|items| items.into_iter().map(line).collect());
        Draft { lines, payment_token: self.payment_token, idempotency_keys }
    }
}

/// A JSON object. A struct alone would also accept an array with its fields in order, which no client means.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// A whole number. Its range is checked with the rest of the order, not here.
struct Whole(i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = i64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
                Ok(number)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
                Ok(i64::try_from(number).unwrap_or(i64::MAX))
            }
        }

        deserializer.deserialize_i64(Number).map(Self)
    }
}
