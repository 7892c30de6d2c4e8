//! The business: orders and their outcomes.

use super::{by_status, latency, traces};
use crate::{
    dashboard::Dashboard,
    panel::{Colour, Kind, Panel, Source, Unit},
    queries::flows,
    slo,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "mesh-flows",
        "Mesh / Flows",
        "The business: how many orders come how far, how long they take, and why some are cancelled.",
    )
    .row("How far do orders come?", funnel())
    .row("How long do they take?", duration())
    .row("Payment: the third party", payment())
    .row("Stock and shipping", stock())
    .row("Stories", stories())
}

fn funnel() -> Vec<Panel> {
    let mut steps = Panel::new(Kind::Bars, "Funnel", "Orders that reached each status in the selected time. Where a bar is much shorter than the one above it, orders were cancelled or are still in progress.")
        .size(8, 8)
        .unit(Unit::Whole)
        .decimals(0);
    for status in ["placed", "paid", "dispatched", "completed", "cancelled"] {
        steps = steps.ask(flows::funnel(status), status);
    }
    vec![
        steps,
        by_status("Orders by status", "Orders that take each status, each second: the same orders again and again. The lines move together; one that falls behind shows where the flow is held up."),
        Panel::new(Kind::Stacked, "Cancelled, by reason", "Cancelled orders by reason. Declined: the bank refused the payment. Unavailable: the payment provider never answered. Expired: the payment took longer than the stock was reserved.")
            .ask(flows::cancelled(), "{{reason}}")
            .unit(Unit::PerSecond),
    ]
}

fn duration() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Heatmap, "From placed to the end", "How long orders take from placed to their end. The objective is 99 % within 2 s. A second band above the first shows orders with a slow payment.")
            .ask(flows::duration_buckets(), "{{le}}")
            .unit(Unit::Seconds)
            .size(12, 11),
        latency("By outcome", "Completed ones wait for dispatch and delivery; cancelled ones only for the payment's answer. The diamonds are traces.", flows::duration, "{{outcome}}").line(slo::seconds(slo::FLOW_WITHIN), Colour::Bad).size(12, 11),
        Panel::new(Kind::Stacked, "Open orders", "Orders that are neither completed nor cancelled, by status. A band that grows shows the step that is held up.")
            .ask(flows::open(), "{{status}}")
            .colour("placed", Colour::Palest)
            .colour("paid", Colour::Pale)
            .colour("dispatched", Colour::Neutral)
            .size(12, 8),
        Panel::new(Kind::Lines, "Oldest open order", "The age of the oldest open order. A few seconds are normal. If the line rises steadily, at least one order is stuck; MeshOrderStuck pages after two minutes.")
            .ask(flows::oldest_open(), "oldest")
            .unit(Unit::Seconds)
            .line(120.0, Colour::Bad)
            .size(12, 8),
    ]
}

fn payment() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Stacked, "Payments", "Settled payments by outcome. Failed means that the payment provider never answered.")
            .ask(flows::payments(), "{{outcome}}")
            .unit(Unit::PerSecond)
            .colour("authorized", Colour::Good)
            .colour("failed", Colour::Bad)
            .size(6, 8),
        Panel::new(Kind::Lines, "Attempts", "Requests to the payment provider by outcome. Requests that fail or time out are repeated; many of them open the circuit breaker.")
            .ask(flows::provider(), "{{operation}} {{outcome}}")
            .unit(Unit::Requests)
            .size(6, 8),
        Panel::new(Kind::Lines, "How long it takes", "The 99th percentile of the provider's response time, by status. The token `tok_slow` takes three seconds. Status none: the provider did not answer in time.")
            .ask_with_traces(flows::provider_latency(0.99), "status {{http_response_status_code}}")
            .unit(Unit::Seconds)
            .logarithmic()
            .size(6, 8),
        Panel::new(Kind::States, "Breaker", "The state of the circuit breaker. While it is open, payments does not call the provider and events wait. It closes by itself when a probe succeeds.")
            .ask(flows::breaker(), "{{destination}}")
            .word(0, "closed", Colour::Good)
            .word(1, "half-open", Colour::Warning)
            .word(2, "open", Colour::Bad)
            .size(6, 8),
    ]
}

fn stock() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Stock requests", "Requests to reserve stock, by outcome. Out of stock is an answer, not an error: it names the item to the customer.")
            .ask(flows::reservations(), "{{outcome}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Held", "Reservations that hold stock now. If it grows, orders are not settled: look at payments.")
            .ask(flows::held(), "held")
            .ask(flows::timers(), "parcels that wait")
            .size(6, 8),
        Panel::new(Kind::Lines, "Holds settled", "Ended reservations: committed for paid orders, released for cancelled orders, returned for paid orders that were cancelled later.")
            .ask(flows::holds_settled(), "{{change}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Shipments", "Shipments that enter each state.")
            .ask(flows::shipments(), "{{state}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
    ]
}

fn stories() -> Vec<Panel> {
    let search = |service: &str, operation: &str, longer_than: &str| Source::Jaeger {
        service: service.into(),
        operation: operation.into(),
        longer_than: longer_than.into(),
    };
    vec![
        traces("Latest orders", "Each is one trace, from the click to the browser. Click an id.")
            .question(search("gateway", "POST /api/orders", ""), "")
            .size(12, 9),
        traces("Slow payments", "Orders whose payment took longer than a second: the third party was slow, or was asked again.")
            .question(search("payments", "process orders.events", "1s"), "")
            .size(12, 9),
    ]
}
