//! The limits of `proto` as schemas of the OpenAPI document.

use std::ops::RangeInclusive;

use proto::limits::{
    IDEMPOTENCY_KEY, ITEMS, PAGE_SIZE, PAGE_TOKEN, PAYMENT_TOKEN, QUANTITY, QUERY, SKU, Text,
};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema,
        schema::{SchemaType, Type},
    },
};

/// A client's own name of a subscription on a WebSocket.
pub(crate) const SUBSCRIPTION_ID: Text = Text {
    longest: 64,
    fits: |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte)),
    pattern: "^[A-Za-z0-9_.:-]+$",
    expected: "1 to 64 of A-Z, a-z, 0-9, - _ . and :",
};

macro_rules! schemas {
    ($($(#[$doc:meta])+ $name:ident = $schema:expr;)+) => {$(
        $(#[$doc])+
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

schemas! {
    /// The key of a product.
    Sku = text(&SKU, "teapot");
    /// A token of the payment provider.
    PaymentToken = text(&PAYMENT_TOKEN, "tok_ok");
    /// A client's own key of an order.
    IdempotencyKey = text(&IDEMPOTENCY_KEY, "0d9c0a5e-click-7");
    /// The cursor of a page.
    PageCursor = text(&PAGE_TOKEN, "dGVhcG90");
    /// The words of a search.
    Words = text(&QUERY, "tea");
    /// The number of pieces of one product.
    Quantity = number(*QUANTITY.start(), &QUANTITY, 2);
    /// The number of entries of a page. In the services' contracts 0 stands for the default; here the parameter is left out.
    PageSize = number(1, &PAGE_SIZE, 20);
    /// A client's own name of a subscription on a WebSocket.
    SubscriptionId = text(&SUBSCRIPTION_ID, "orders");
    /// The items of an order.
    Items = ArrayBuilder::new()
        .items(Ref::from_schema_name("NewItem"))
        .min_items(usize::try_from(*ITEMS.start()).ok())
        .max_items(usize::try_from(*ITEMS.end()).ok());
}

fn text(limit: &Text, example: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .min_length(Some(1))
        .max_length(Some(limit.longest))
        .pattern(Some(limit.pattern))
        .examples([json!(example)])
}

fn number(least: i64, limit: &RangeInclusive<i64>, example: i64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .minimum(Some(least))
        .maximum(Some(*limit.end()))
        .examples([json!(example)])
}
