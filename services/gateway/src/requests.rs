//! What clients of the public API send.
//!
//! Any part may be missing or wrong: a missing part counts as an empty one, and all parts are checked together when the request
//! becomes a message for a service, so that one answer reports everything that is wrong.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};
use utoipa::{IntoParams, ToSchema};

use crate::{limits, resources};

/// An order to be placed.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrder {
    /// What is ordered; each product once.
    #[schema(value_type = limits::Items)]
    pub(crate) items: Option<Vec<Object<NewItem>>>,
    /// How the order is paid: a token of the payment provider. In this demo it also decides what the provider does: `tok_ok`,
    /// `tok_declined`, `tok_slow` (answers after 3 s), `tok_flaky` (fails twice), `tok_down` (never answers), `tok_lost`
    /// (charges, and never answers).
    #[schema(value_type = limits::PaymentToken)]
    pub(crate) payment_token: Option<String>,
}

/// What is ordered of one product.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewItem {
    /// The product.
    #[schema(value_type = limits::Sku)]
    pub(crate) sku: Option<String>,
    /// The number of pieces.
    #[schema(value_type = limits::Quantity, required)]
    #[serde(default, deserialize_with = "whole_number")]
    pub(crate) quantity: Option<i64>,
}

/// Products to be listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProductQuery {
    /// The maximum number of products in the answer.
    #[param(value_type = Option<limits::PageSize>)]
    pub(crate) limit: Option<String>,
    /// Where the page begins: `next_cursor` of the page before.
    #[param(value_type = Option<limits::PageCursor>)]
    pub(crate) cursor: Option<String>,
    /// Words that the SKU, the name or the description must contain.
    #[param(value_type = Option<limits::Words>)]
    pub(crate) q: Option<String>,
}

/// Orders to be listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrderQuery {
    /// The maximum number of orders in the answer.
    #[param(value_type = Option<limits::PageSize>)]
    pub(crate) limit: Option<String>,
    /// Where the page begins: `next_cursor` of the page before.
    #[param(value_type = Option<limits::PageCursor>)]
    pub(crate) cursor: Option<String>,
    /// Only orders with this status.
    #[param(value_type = Option<resources::Status>)]
    pub(crate) status: Option<String>,
}

/// A JSON object. A struct alone would also accept an array with its fields in order, which no client means.
pub(crate) struct Object<T>(pub(crate) T);

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

/// A whole number, also one that is out of the limits: those are checked with the rest of the order.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let whole = number.as_i64().or(number.is_u64().then_some(i64::MAX));
    let wrong =
        || D::Error::custom(format_args!("invalid value: {number}, expected a whole number"));
    whole.map(Some).ok_or_else(wrong)
}
