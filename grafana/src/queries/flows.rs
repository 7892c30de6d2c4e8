//! The business: orders and their outcomes.

use super::{buckets, largest_or_none, quantile, rate};
use crate::slo::FLOWS_GIVEN_UP;

/// Orders placed per second.
pub fn placed() -> String {
    "sum(rate(mesh_orders_placed_total[$__rate_interval]))".into()
}

/// Orders that reached each status, per second.
pub fn by_status() -> String {
    rate("mesh_orders_status_total", "status")
}

/// How many orders reached a status, in the time range shown.
pub fn funnel(status: &str) -> String {
    match status {
        "placed" => "sum(increase(mesh_orders_placed_total[$__range]))".into(),
        _ => format!("sum(increase(mesh_orders_status_total{{status=\"{status}\"}}[$__range]))"),
    }
}

/// Orders cancelled per second, by reason.
pub fn cancelled() -> String {
    rate("mesh_orders_cancelled_total", "reason")
}

/// The share of ended orders that were completed. Declined cards and cancellations by customers do not count, as in the
/// objective.
pub fn completed_share() -> String {
    let completed = "sum(increase(mesh_orders_status_total{status=\"completed\"}[$__range]))";
    let given_up = format!("sum(increase({FLOWS_GIVEN_UP}[$__range]))");
    format!("{completed} / ({completed} + {given_up} > 0)")
}

/// Orders that ended per second, by outcome: each is counted once.
pub fn ended() -> String {
    let ended = "mesh_orders_status_total{status=~\"completed|cancelled\"}";
    rate(ended, "status")
}

/// Orders that are neither completed nor cancelled, by status.
pub fn open() -> String {
    "max by (status) (mesh_orders_open)".into()
}

/// Age of the oldest of them.
pub fn oldest_open() -> String {
    "max(mesh_orders_oldest_open_age_seconds)".into()
}

/// From the request to the response, of orders that are not answered with a server error, as in the objective: a quantile.
pub fn answered(share: f64) -> String {
    let orders = "{service=\"gateway\", http_request_method=\"POST\", http_route=\"/api/orders\", http_response_status_code!~\"5..\"}";
    quantile(share, &format!("http_server_request_duration_seconds{orders}"), "")
}

/// From placing an order to its end: a quantile.
pub fn duration(share: f64) -> String {
    quantile(share, "mesh_flow_duration_seconds", "outcome")
}

/// The same as a heat map.
pub fn duration_buckets() -> String {
    buckets("mesh_flow_duration_seconds")
}

/// Orders that were refused, by reason.
pub fn refused() -> String {
    rate("mesh_gateway_orders_refused_total", "reason")
}

/// Requests to reserve stock, by outcome.
pub fn reservations() -> String {
    largest_or_none(&rate("mesh_inventory_reservations_total", "outcome"), "outcome")
}

/// Reservations that hold stock.
pub fn held() -> String {
    "max(mesh_inventory_held)".into()
}

/// Reservations that were settled, by outcome.
pub fn holds_settled() -> String {
    rate("mesh_inventory_settled_total", "change")
}

/// Reservations that expired before the order was settled.
pub fn expired() -> String {
    "sum(increase(mesh_inventory_expirations_total[$__range]))".into()
}

/// Payments by outcome.
pub fn payments() -> String {
    rate("mesh_payments_settled_total", "outcome")
}

/// Requests to the third party by outcome.
pub fn provider() -> String {
    let attempts = rate("mesh_payments_provider_attempts_total", "operation, outcome");
    largest_or_none(&attempts, "operation")
}

/// How long the third party takes to answer: a quantile.
pub fn provider_latency(share: f64) -> String {
    let status = "http_response_status_code";
    let by_status = quantile(share, "http_client_request_duration_seconds", status);
    // A request without an answer has no status.
    format!("label_replace({by_status}, \"{status}\", \"none\", \"{status}\", \"\")")
}

/// State of each breaker: 0 closed, 1 half-open, 2 open.
pub fn breaker() -> String {
    "max by (service, destination) (mesh_breaker_state)".into()
}

/// Shipments by state.
pub fn shipments() -> String {
    rate("mesh_shipping_shipments_total", "state")
}

/// Shipments that wait for their timer.
pub fn timers() -> String {
    "max(mesh_shipping_timers_pending)".into()
}
