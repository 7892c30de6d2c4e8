//! `/api/orders`

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use chassis::{
    http::{Json, Path, Problem, Query},
    telemetry,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Shop,
    body::{Object, PlaceOrder},
    query::OrderQuery,
    refusals::{invalid, refusals, refused},
};
use crate::{
    config::Customer,
    domain::{Cart, IdempotencyKey, Mistake},
    outbound::Placing,
    resources::{Order, OrderPage, Status},
};

/// An order that was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct Accepted {
    /// Its id.
    #[schema(examples("6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11"), format = "uuid")]
    id: String,
    /// Where it is now: `placed`, or what became of it since if it was sent again.
    status: Status,
    /// The trace of its whole story; null if it is not recorded.
    #[schema(examples("4bf92f3577b34da6a3ce929d0e0e4736"), required)]
    trace_id: Option<String>,
    /// Where to go on.
    links: Links,
}

/// Where to go on with an order.
#[derive(Serialize, ToSchema)]
pub(super) struct Links {
    /// The order.
    #[serde(rename = "self")]
    #[schema(examples("/api/orders/6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11"))]
    order: String,
    /// Its story while it happens: Server-Sent Events.
    #[schema(examples("/api/orders/6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11/live"))]
    live: String,
    /// Its trace, as Jaeger's API has it; null if it is not recorded.
    #[schema(
        examples("http://127.0.0.1:8087/api/traces/4bf92f3577b34da6a3ce929d0e0e4736"),
        required
    )]
    trace: Option<String>,
}

refusals!(PlaceRefusals: MALFORMED, OUT_OF_STOCK, CHANGED, ABANDONED, TOO_LARGE, NOT_JSON, BAD_ORDER, KEY_REUSED);

/// Place an order
///
/// The order is accepted when its stock is held; the rest of its story follows by itself, and can be watched at `links.live`.
/// With an `Idempotency-Key` the request can be repeated: the same key and order return the same order, as it is by then.
#[utoipa::path(
    post, path = "/api/orders", tag = "orders", operation_id = "placeOrder",
    params((
        "Idempotency-Key" = Option<String>, Header, nullable = false, min_length = 1, max_length = 128, pattern = "^[!-~]{1,128}$",
        description = "Makes the request repeatable: any text of your own, new for each order that is meant.",
        example = "0d9c0a5e-click-7",
    )),
    request_body(content = PlaceOrder, example = json!({
        "items": [{ "sku": "teapot", "quantity": 1 }, { "sku": "cup", "quantity": 2 }], "payment_token": "tok_ok",
    })),
    responses(
        (
            status = 202, description = "The order is accepted.", body = Accepted,
            headers(("Location" = String, description = "Where the order is: `/api/orders/{id}`.")),
        ),
        PlaceRefusals,
    ),
)]
pub(super) async fn place(
    State(shop): State<Arc<Shop>>,
    customer: Customer,
    headers: HeaderMap,
    body: Result<Json<Object<PlaceOrder>>, Problem>,
) -> Result<Response, Problem> {
    let cart = match body {
        Ok(Json(Object(order))) => Cart::check(order.draft(keys(&headers))).map_err(no_order),
        Err(problem) => Err(problem),
    };
    let placed = match cart {
        Ok(cart) => shop.orders.place(&customer, placing(cart)).await.map_err(refused),
        Err(problem) => Err(problem),
    };
    match &placed {
        Ok(_) => shop.metrics.orders_accepted_total.inc(),
        Err(problem) => {
            shop.metrics.orders_refused_total.with_label_values(&[reason(problem)]).inc()
        }
    }
    let order = placed?;
    telemetry::annotate("order.id", order.id.clone());
    let location = format!("/api/orders/{}", order.id);
    let links = Links {
        live: format!("{location}/live"),
        trace: order.trace_id.as_deref().map(|trace_id| shop.trace_url.of(trace_id)),
        order: location.clone(),
    };
    let accepted = Accepted { id: order.id, status: order.status, trace_id: order.trace_id, links };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(accepted)).into_response())
}

fn keys(headers: &HeaderMap) -> Vec<Vec<u8>> {
    headers.get_all("idempotency-key").iter().map(|key| key.as_bytes().to_vec()).collect()
}

fn no_order(mistakes: Vec<Mistake>) -> Problem {
    invalid("the order is not what is expected here", mistakes)
}

/// If the client sent no key, a new one is made: our own call to `orders` must always be repeatable.
fn placing(cart: Cart) -> Placing {
    let fresh = || Uuid::new_v4().to_string();
    Placing {
        lines: cart.lines,
        payment_token: cart.payment_token,
        idempotency_key: cart.idempotency_key.map_or_else(fresh, |IdempotencyKey(key)| key),
    }
}

/// The metric's label value.
fn reason(problem: &Problem) -> &'static str {
    match (problem.status, problem.kind.as_str()) {
        (_, "/problems/out-of-stock") => "out_of_stock",
        (_, "/problems/idempotency-key-reused") => "idempotency_key_reused",
        // Not the customer's mistake: another customer was faster, or the reservation expired.
        (409, _) => "conflict",
        (429, _) => "exhausted",
        (503, _) => "unavailable",
        (504, _) => "deadline_exceeded",
        (500.., _) => "internal",
        _ => "invalid",
    }
}

refusals!(ListRefusals: BAD_QUERY);

/// List orders
///
/// The customer's orders, newest first, a page at a time.
#[utoipa::path(
    get, path = "/api/orders", tag = "orders", operation_id = "listOrders",
    params(OrderQuery),
    responses((status = 200, description = "A page of orders.", body = OrderPage), ListRefusals),
)]
pub(super) async fn list(
    State(shop): State<Arc<Shop>>,
    customer: Customer,
    Query(query): Query<OrderQuery>,
) -> Result<Json<OrderPage>, Problem> {
    let checked = query
        .check()
        .map_err(|mistakes| invalid("the query is not what is expected here", mistakes));
    let (page, status) = checked?;
    shop.orders.list(&customer, page, status).await.map(Json).map_err(refused)
}

refusals!(GetRefusals: NO_ORDER);

/// Read an order
#[utoipa::path(
    get, path = "/api/orders/{id}", tag = "orders", operation_id = "getOrder",
    params(("id" = String, Path, format = "uuid", description = "The order's id.")),
    responses((status = 200, description = "The order.", body = Order), GetRefusals),
)]
pub(super) async fn get(
    State(shop): State<Arc<Shop>>,
    customer: Customer,
    OrderId(id): OrderId,
) -> Result<Json<Order>, Problem> {
    shop.orders.get(&customer, &id).await.map(Json).map_err(refused)
}

refusals!(CancelRefusals: NO_ORDER, NOT_CANCELLABLE, CHANGED);

/// Cancel an order
///
/// As long as it is not dispatched. What was done for it is undone. Cancelling it again changes nothing.
#[utoipa::path(
    post, path = "/api/orders/{id}/cancel", tag = "orders", operation_id = "cancelOrder",
    params(("id" = String, Path, format = "uuid", description = "The order's id.")),
    responses((status = 200, description = "The order, cancelled.", body = Order), CancelRefusals),
)]
pub(super) async fn cancel(
    State(shop): State<Arc<Shop>>,
    customer: Customer,
    OrderId(id): OrderId,
) -> Result<Json<Order>, Problem> {
    telemetry::annotate("order.id", id.clone());
    shop.orders.cancel(&customer, &id).await.map(Json).map_err(refused)
}

/// The id in the path, in the form that `orders` writes; text that cannot be an id names an order that does not exist.
pub(super) struct OrderId(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for OrderId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) =
            Path::<String>::from_request_parts(parts, state).await.unwrap_or(Path(String::new()));
        let hyphenated = Uuid::try_parse(&text).ok().filter(|_| text.len() == 36);
        let unknown =
            || Problem::new(StatusCode::NOT_FOUND, "unknown-order", format!("no order {text:?}"));
        hyphenated.map(|id| Self(id.to_string())).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::REFUSALS;

    #[test]
    fn only_what_the_customer_sent_wrongly_is_counted_as_invalid() {
        for (status, kind, word) in [
            (400, "malformed-json", "invalid"),
            (409, "out-of-stock", "out_of_stock"),
            (409, "changed", "conflict"),
            (409, "order-abandoned", "conflict"),
            (413, "payload-too-large", "invalid"),
            (422, "invalid-argument", "invalid"),
            (422, "idempotency-key-reused", "idempotency_key_reused"),
            (429, "resource-exhausted", "exhausted"),
            (500, "internal", "internal"),
            (503, "unavailable", "unavailable"),
            (504, "deadline-exceeded", "deadline_exceeded"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(reason(&Problem::new(status, kind, "why")), word, "{status} {kind}");
            assert!(REFUSALS.contains(&word), "{word} is not there from the start");
        }
    }
}
