//! Is the mesh well? If not: what burns, and where?

use super::{by_status, none_of};
use crate::{
    dashboard::Dashboard,
    panel::{Colour, Kind, Panel, Unit},
    queries::{self, events, flows, runtime},
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "mesh-overview",
        "Mesh / Overview",
        "Is the mesh well? If not: what burns, and where? Begin here.",
    )
    .row("Is it well?", wellness())
    .row("What was promised, and is it kept?", promises())
    .row("Which service is it?", services())
    .row("Do orders flow?", flow())
}

fn wellness() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Stat, "Services", "Services that Prometheus reaches. Fewer than eight: one is gone; its name is missing in \"Requests by service\" below, and the alert MeshServiceAbsent says it.")
            .ask(queries::services_up(), "services")
            .thresholds(&[(0.0, Colour::Bad), (8.0, Colour::Good)])
            .decimals(0),
        none_of("Alerts firing", "Alerts that fire now. Any: the table below names them, and each links to its runbook.", queries::firing_count()),
        Panel::new(Kind::Stat, "Orders placed", "Orders accepted each second. Zero under load: nobody gets through; look at the gateway in the dashboard Service.")
            .ask(flows::placed(), "placed")
            .unit(Unit::PerSecond),
        Panel::new(Kind::Stat, "Orders completed", "The share of ended orders that were completed, in the time shown. It falls when payments are declined or fail: the dashboard Flows has the reasons.")
            .ask(flows::completed_share(), "completed")
            .unit(Unit::Share)
            .thresholds(&[(0.0, Colour::Bad), (0.8, Colour::Warning), (0.95, Colour::Good)]),
        none_of("Dead letters", "Events that were set aside in the time shown. Any: `mesh dlq list` shows them, the dashboard Events says from where.", events::dead_letters_of_all()),
        none_of("Panics", "Panics that were caught, in the time shown. Any is a bug: the log of that service has its place.", runtime::panics_of_all()),
    ]
}

fn promises() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Bars, "Error budget left", "What is left of the 30 days' budget of each promise. Below zero the promise is broken: stop changing things, and read the burn rate beside.")
            .ask(queries::budget(), "{{slo}}")
            .unit(Unit::Share)
            .most(1.0)
            .thresholds(&[(f64::MIN, Colour::Bad), (0.25, Colour::Warning), (0.5, Colour::Good)])
            .size(7, 8),
        Panel::new(Kind::Lines, "Burn rate", "How much faster than allowed the budget is used up, over five minutes. 1 uses it up in exactly 30 days, 14.4 in two days: that wakes somebody.")
            .ask(queries::burn("5m"), "{{slo}}")
            .unit(Unit::Times)
            .thresholds(&[(1.0, Colour::Warning), (14.4, Colour::Bad)])
            .size(8, 8),
        Panel::new(Kind::Table, "Alerts", "What fires, and what will if it goes on. Empty in health. Each has a runbook: the link on top of this page.")
            .ask(queries::alerts(), "value")
            .without(&["__name__", "value", "Value", "window"])
            .first(&["alertname", "alertstate", "severity", "service", "slo", "topic", "group"])
            .widths(&[("alertname", 180), ("alertstate", 75), ("severity", 70), ("service", 95)])
            .size(9, 8),
    ]
}

fn services() -> Vec<Panel> {
    let link = |panel: Panel| panel.link("Open the service", queries::SERVICE_LINK);
    vec![
        link(Panel::new(Kind::Lines, "Requests by service", "Requests, calls and events that each service handles. A line that falls to zero while others go on: that service is stuck or gone.")
            .ask(queries::requests_by_service(), "{{service}}")
            .unit(Unit::Requests)),
        link(Panel::new(Kind::Lines, "Errors by service", "The share of them that failed by the service's own fault. The deepest service in the call graph that shows errors is where to look first.")
            .ask(queries::errors_by_service(), "{{service}}")
            .unit(Unit::Share)
            .thresholds(&[(0.01, Colour::Bad)])),
        link(Panel::new(Kind::Lines, "p99 by service", "What one in a hundred takes longer than. Payments waits for the third party: seconds there come from slow tokens. Elsewhere: look at the service's dependencies.")
            .ask_with_traces(queries::latency_by_service(), "{{service}}")
            .unit(Unit::Seconds)),
    ]
}

fn flow() -> Vec<Panel> {
    vec![
        by_status("Orders by outcome", "Orders that take each status. Placed without completed: the flow stops somewhere; the dashboard Flows shows between which two.")
            .size(6, 8),
        Panel::new(Kind::Lines, "From placed to the end", "How long an order takes. The diamonds are traces: click one to see where its time went.")
            .ask_with_traces(flows::duration(0.99), "p99 {{outcome}}")
            .ask_with_traces(flows::duration(0.5), "p50 {{outcome}}")
            .unit(Unit::Seconds)
            .size(6, 8),
        Panel::new(Kind::Lines, "Events that wait", "Records on Kafka that a group has not handled. Growing: that consumer is too slow or stuck; the dashboard Events has its age and retries.")
            .ask("sum by (group) (mesh_consumer_lag)".into(), "{{group}}")
            .size(6, 8),
        Panel::new(Kind::Lines, "Events not yet told", "Events in the outboxes. Growing: Kafka does not take them, and the flow stands still; nothing is lost meanwhile.")
            .ask(events::outbox(), "{{service}}")
            .size(6, 8),
    ]
}
