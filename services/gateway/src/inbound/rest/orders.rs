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
use proto::values::OrderId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    AppState, Customer,
    problems::{refusals, refused},
};
use crate::{
    limits,
    requests::{Object, OrderQuery, PlaceOrder},
    resources::{Order, OrderPage, Status},
};

/// An order that was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct Accepted {
    /// Its id.
    #[schema(examples("6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11"), format = "uuid")]
    id: String,
    /// The present status: `placed`, or a later one if the request was repeated.
    status: Status,
    /// The trace of everything that happens to the order; null if it is not recorded.
    #[schema(examples("4bf92f3577b34da6a3ce929d0e0e4736"), required)]
    trace_id: Option<String>,
    /// Related resources.
    links: Links,
}

/// The resources of an order.
#[derive(Serialize, ToSchema)]
pub(super) struct Links {
    /// The order.
    #[serde(rename = "self")]
    #[schema(examples("/api/orders/6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11"))]
    order: String,
    /// What happens to it, as it happens: Server-Sent Events.
    #[schema(examples("/api/orders/6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11/live"))]
    live: String,
    /// Its trace in the format of Jaeger's API; null if it is not recorded.
    #[schema(
        examples("http://127.0.0.1:8087/api/traces/4bf92f3577b34da6a3ce929d0e0e4736"),
        required
    )]
    trace: Option<String>,
}

refusals!(PlaceRefusals: MALFORMED, OUT_OF_STOCK, CHANGED, ABANDONED, TOO_LARGE, NOT_JSON, BAD_ORDER, KEY_REUSED);

/// Place an order
///
/// The order is accepted when its stock is reserved. Payment and shipping follow by themselves and can be watched at
/// `links.live`. With an `Idempotency-Key` the request can be repeated: the same key and order return the same order in its
/// present state.
#[utoipa::path(
    post, path = "/api/orders", tag = "orders", operation_id = "placeOrder",
    params((
        "Idempotency-Key" = Option<limits::IdempotencyKey>, Header, nullable = false,
        description = "Makes the request repeatable: any text of your own, a new one for each new order.",
    )),
    request_body(content = PlaceOrder, example = json!({
        "items": [{ "sku": "teapot", "quantity": 1 }, { "sku": "cup", "quantity": 2 }], "payment_token": "tok_ok",
    })),
    responses(
        (
            status = 202, description = "The order is accepted.", body = Accepted,
            headers(("Location" = String, description = "The path of the order: `/api/orders/{id}`.")),
        ),
        PlaceRefusals,
    ),
)]
pub(super) async fn place(
    State(state): State<Arc<AppState>>,
    Customer(customer): Customer,
    headers: HeaderMap,
    body: Result<Json<Object<PlaceOrder>>, Problem>,
) -> Result<Response, Problem> {
    let placed = match body {
        Ok(Json(Object(order))) => {
            state.orders.place(&customer, order, idempotency_key(&headers)).await.map_err(refused)
        }
        Err(problem) => Err(problem),
    };
    match &placed {
        Ok(_) => state.metrics.orders_accepted_total.inc(),
        Err(problem) => {
            state.metrics.orders_refused_total.with_label_values(&[reason(problem)]).inc();
        }
    }
    let order = placed?;
    telemetry::annotate("order.id", order.id.clone());
    let location = format!("/api/orders/{}", order.id);
    let links = Links {
        live: format!("{location}/live"),
        trace: order.trace_id.as_deref().map(|trace_id| state.trace_url.of(trace_id)),
        order: location.clone(),
    };
    let accepted = Accepted { id: order.id, status: order.status, trace_id: order.trace_id, links };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(accepted)).into_response())
}

/// The client's key, or a new one: the gateway's own call to `orders` must always be repeatable. A header that is there several
/// times is one list, <https://www.rfc-editor.org/rfc/rfc9110#section-5.3>, and a list is no key.
fn idempotency_key(headers: &HeaderMap) -> String {
    let values = headers.get_all("idempotency-key").iter();
    let keys: Vec<_> = values.map(|key| String::from_utf8_lossy(key.as_bytes())).collect();
    if keys.is_empty() { Uuid::new_v4().to_string() } else { keys.join(", ") }
}

/// The metric's label value.
fn reason(problem: &Problem) -> &'static str {
    match (problem.status, problem.kind.as_str()) {
        (_, "/problems/out-of-stock") => "out_of_stock",
        (_, "/problems/idempotency-key-reused") => "idempotency_key_reused",
        // This is not the customer's mistake: another customer was faster, or the reservation expired.
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
    State(state): State<Arc<AppState>>,
    Customer(customer): Customer,
    Query(query): Query<OrderQuery>,
) -> Result<Json<OrderPage>, Problem> {
    state.orders.list(&customer, query).await.map(Json).map_err(refused)
}

refusals!(GetRefusals: NO_ORDER);

/// Read an order
#[utoipa::path(
    get, path = "/api/orders/{id}", tag = "orders", operation_id = "getOrder",
    params(("id" = String, Path, format = "uuid", description = "The order's id.")),
    responses((status = 200, description = "The order.", body = Order), GetRefusals),
)]
pub(super) async fn get(
    State(state): State<Arc<AppState>>,
    Customer(customer): Customer,
    Id(id): Id,
) -> Result<Json<Order>, Problem> {
    state.orders.get(&customer, &id).await.map(Json).map_err(refused)
}

refusals!(CancelRefusals: NO_ORDER, NOT_CANCELLABLE, CHANGED);

/// Cancel an order
///
/// An order can be cancelled until it is dispatched. Its stock is released and its payment refunded. Cancelling it again changes
/// nothing.
#[utoipa::path(
    post, path = "/api/orders/{id}/cancel", tag = "orders", operation_id = "cancelOrder",
    params(("id" = String, Path, format = "uuid", description = "The order's id.")),
    responses((status = 200, description = "The cancelled order.", body = Order), CancelRefusals),
)]
pub(super) async fn cancel(
    State(state): State<Arc<AppState>>,
    Customer(customer): Customer,
    Id(id): Id,
) -> Result<Json<Order>, Problem> {
    telemetry::annotate("order.id", id.to_string());
    state.orders.cancel(&customer, &id).await.map(Json).map_err(refused)
}

/// The id in the path. Text that cannot be an id names an order that does not exist.
pub(super) struct Id(pub(super) OrderId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) =
            Path::<String>::from_request_parts(parts, state).await.unwrap_or(Path(String::new()));
        OrderId::try_from(text.to_lowercase()).map(Self).map_err(|_| {
            Problem::new(StatusCode::NOT_FOUND, "unknown-order", format!("no order {text:?}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::REFUSALS;

    #[test]
    fn each_problem_has_its_reason_and_only_a_mistake_of_the_customer_is_invalid() {
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
            assert!(REFUSALS.contains(&word), "{word} has no series from the start");
        }
    }
}
