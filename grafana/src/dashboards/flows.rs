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
    let mut steps = Panel::new(Kind::Bars, "Funnel", "Orders that reached each status, in the time shown. A step that is much shorter than the one above is where they stop: cancelled, or still under way.")
        .size(8, 8)
        .unit(Unit::Whole)
        .decimals(0);
    for status in ["placed", "paid", "dispatched", "completed", "cancelled"] {
        steps = steps.ask(flows::funnel(status), status);
    }
    vec![
        steps,
        by_status("Orders by status", "Orders that take each status, each second: the same orders again and again. The lines move together; one that falls behind shows where the flow is held up."),
        Panel::new(Kind::Stacked, "Cancelled, by reason", "Declined is the customer's bank; unavailable is a third party that never answered; expired means that the payment took longer than the hold on the stock.")
            .ask(flows::cancelled(), "{{reason}}")
            .unit(Unit::PerSecond),
    ]
}

fn duration() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Heatmap, "From placed to the end", "The promise is 99 % within 2 s. A second band above are orders with a slow payment.")
            .ask(flows::duration_buckets(), "{{le}}")
            .unit(Unit::Seconds)
            .size(12, 11),
        latency("By outcome", "Completed ones wait for dispatch and delivery; cancelled ones only for the payment's answer. The diamonds are traces.", flows::duration, "{{outcome}}").line(slo::seconds(slo::FLOW_WITHIN), Colour::Bad).size(12, 11),
        Panel::new(Kind::Stacked, "Open orders", "Orders that are neither completed nor cancelled, by how far they came. A band that grows is the step that is held up.")
            .ask(flows::open(), "{{status}}")
            .colour("placed", Colour::Palest)
            .colour("paid", Colour::Pale)
            .colour("dispatched", Colour::Neutral)
            .size(12, 8),
        Panel::new(Kind::Lines, "Oldest open order", "How long ago the oldest of them was placed. Seconds in health. A line that rises with the time: one order stands still; MeshOrderStuck pages at two minutes.")
            .ask(flows::oldest_open(), "oldest")
            .unit(Unit::Seconds)
            .line(120.0, Colour::Bad)
            .size(12, 8),
    ]
}

fn payment() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Stacked, "Payments", "Settled payments by outcome. Failed: the third party never answered.")
            .ask(flows::payments(), "{{outcome}}")
            .unit(Unit::PerSecond)
            .colour("authorized", Colour::Good)
            .colour("failed", Colour::Bad)
            .size(6, 8),
        Panel::new(Kind::Lines, "Attempts", "Requests to the third party, by outcome. Failing and silent ones are repeated; many of them open the breaker.")
            .ask(flows::provider(), "{{operation}} {{outcome}}")
            .unit(Unit::Requests)
            .size(6, 8),
        Panel::new(Kind::Lines, "How long it takes", "p99 of its answers, by status. Three seconds are `tok_slow`. None: it did not answer in time.")
            .ask_with_traces(flows::provider_latency(0.99), "status {{http_response_status_code}}")
            .unit(Unit::Seconds)
            .logarithmic()
            .size(6, 8),
        Panel::new(Kind::States, "Breaker", "Open: payments asks no more for a while, and events wait. It tries again by itself.")
            .ask(flows::breaker(), "{{destination}}")
            .word(0, "closed", Colour::Good)
            .word(1, "half-open", Colour::Warning)
            .word(2, "open", Colour::Bad)
            .size(6, 8),
    ]
}

fn stock() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Stock requests", "Requests to hold stock, by outcome. Out of stock is an answer, not an error: the customer is told which item.")
            .ask(flows::reservations(), "{{outcome}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Held", "Reservations that hold stock now. Growing: orders are not decided; look at payments.")
            .ask(flows::held(), "held")
            .ask(flows::timers(), "parcels that wait")
            .size(6, 8),
        Panel::new(Kind::Lines, "Holds settled", "Committed for paid orders, released for cancelled ones, returned when a paid one was cancelled.")
            .ask(flows::holds_settled(), "{{change}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Shipments", "Parcels that come into each state.")
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
