//! Is the mesh healthy? If not: which objective is broken, and where?

use super::{by_outcome, latency, none_of};
use crate::{
    dashboard::Dashboard,
    panel::{Colour, Column, Kind, Panel, Source, Unit},
    queries::{self, events, flows, runtime},
    slo,
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
    .row("Who asks whom?", vec![graph()])
}

fn wellness() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Stat, "Services", "Services that answer Prometheus, of eight.")
            .ask(queries::services_up(), "services")
            .thresholds(&[(0.0, Colour::Bad), (8.0, Colour::Good)])
            .decimals(0)
            .size(6, 3),
        Panel::new(Kind::Stat, "Missing", "The services that do not answer Prometheus now, by name: dead, frozen, or out of reach. MeshServiceAbsent says it half a minute later.")
            .ask(queries::services_away(), "{{service}}")
            .thresholds(&[(1.0, Colour::Bad)])
            .named()
            .size(6, 3),
        none_of("Pages", "Symptoms: alerts that wake somebody and fire now. The table below names them, and each links to its runbook.", queries::firing_count("page")).size(6, 3),
        Panel::new(Kind::Stat, "Tickets", "Causes, and what can wait until the morning: alerts that fire now and wake nobody.")
            .ask(queries::firing_count("ticket"), "tickets")
            .thresholds(&[(1.0, Colour::Warning)])
            .decimals(0)
            .size(6, 3),
        Panel::new(Kind::Stat, "Placed", "Orders accepted each second. Zero under load: nobody gets through; look at the gateway in the dashboard Service.")
            .ask(flows::placed(), "placed")
            .unit(Unit::PerSecond)
            .size(6, 3),
        Panel::new(Kind::Stat, "Completed", "The share of ended orders that were completed, in the time shown. Declined cards and customers who cancel do not count, as in the promise. It falls when nobody answers for payments, or the stock is not held long enough: the dashboard Flows has the reasons.")
            .ask(flows::completed_share(), "completed")
            .unit(Unit::Share)
            .thresholds(&[(0.0, Colour::Bad), (0.95, Colour::Warning), (0.99, Colour::Good)])
            .size(6, 3),
        none_of("Letters", "Events that were set aside in the time shown: dead letters. Any: `mesh dlq list` shows them, the dashboard Events says from where.", events::dead_letters_of_all()).size(6, 3),
        none_of("Panics", "Panics that were caught, in the time shown. Any is a bug: the log of that service has its place.", runtime::panics_of_all()).size(6, 3),
    ]
}

fn promises() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Table, "Promises", "What is left of each promise's error budget for 30 days. Spent: the promise is broken; stop changing things, and read the burn rate beside. It can tell no more than what Prometheus keeps: the last column says how much of the 30 days is known.")
            .ask(queries::budget(), "left")
            .ask(queries::spent_since(), "spent since")
            .ask(queries::each_promise(&queries::burn("5m")), "burn rate")
            .ask(queries::known(), "known")
            .first(&["slo"])
            .column(Column::new("slo").width(135))
            .column(Column::new("left").unit(Unit::Share, 0).thresholds(&[(f64::MIN, Colour::Bad), (0.001, Colour::Warning), (0.25, Colour::Good)]).width(60))
            .column(Column::new("spent since").unit(Unit::Since, 0).width(120))
            .column(Column::new("burn rate").unit(Unit::Times, 1).thresholds(&[(1.0, Colour::Warning), (14.4, Colour::Bad)]).width(70))
            .column(Column::new("known").unit(Unit::Seconds, 0).width(70))
            .size(12, 7),
        Panel::new(Kind::Lines, "Burn rate", "How much faster than allowed the budget is used up, over five minutes. 1 uses it up in exactly 30 days, 14.4 in two days: that wakes somebody.")
            .ask(queries::burn("5m"), "{{slo}}")
            .unit(Unit::Times)
            .line(1.0, Colour::Warning)
            .line(14.4, Colour::Bad)
            .size(12, 7),
        Panel::new(Kind::Table, "Alerts", "What fires, and what will if it goes on. Empty in health. A click on an alert leads to its runbook, or to the dashboard where one sees it.")
            .ask(queries::alerts(), "value")
            .without(&["__name__", "value", "Value", "job"])
            .column(Column::new("runbook").hidden())
            .column(Column::new("dashboard").hidden())
            .first(&["severity", "alertname", "alertstate", "service", "topic", "slo", "window"])
            .column(Column::new("severity").word("page", "page", Colour::Bad).word("ticket", "ticket", Colour::Warning).width(80))
            .column(
                Column::new("alertname")
                    .width(190)
                    .link("Runbook", "/d/mesh-runbooks?viewPanel=${__data.fields.runbook}")
                    .link("Dashboard", "/d/${__data.fields.dashboard}?var-service=${__data.fields.service}&${__url_time_range}"),
            )
            .column(Column::new("alertstate").width(90))
            .column(Column::new("window").width(75))
            .size(24, 6),
    ]
}

fn services() -> Vec<Panel> {
    let link = |panel: Panel| panel.link("Open the service", queries::SERVICE_LINK);
    vec![
        table(),
        Panel::new(Kind::States, "Up", "Whether each service answers Prometheus. Red: it is dead, frozen, or out of reach, and its other lines end there.")
            .ask(queries::up(), "{{service}}")
            .word(0, "away", Colour::Bad)
            .word(1, "answers", Colour::Good)
            .size(8, 11),
        link(Panel::new(Kind::Lines, "Requests by service", "Requests, calls and events that each service handles. A line that falls to zero while others go on: that service is stuck or gone.")
            .ask(queries::requests_by_service(), "{{service}}")
            .unit(Unit::Requests)),
        link(Panel::new(Kind::Lines, "Errors by service", "The share of them that failed by the service's own fault. The deepest service in the call graph that shows errors is where to look first.")
            .ask(queries::errors_by_service(), "{{service}}")
            .unit(Unit::Share)
            .thresholds(&[(0.01, Colour::Bad)])),
        link(Panel::new(Kind::Lines, "p99 by service", "What one in a hundred takes longer than, on a logarithmic axis. Payments waits for the third party: seconds there come from slow tokens. Its dashboard has the traces: click a line.")
            .ask(queries::latency_by_service(), "{{service}}")
            .unit(Unit::Seconds)
            .logarithmic()),
    ]
}

/// A table with one row for each service.
fn table() -> Panel {
    Panel::new(Kind::Table, "Each service", "Each service now: whether it answers, what it is asked, what fails by its own fault, what one in a hundred takes, records that wait, starts in the time shown, the memory of its largest process, and how much of its limit that is (of the machine's memory where there is no limit). Click a name to open it.")
        .ask(queries::each_service(&queries::up()), "up")
        .ask(queries::each_service(&queries::requests_by_service()), "requests")
        .ask(queries::each_service(&queries::errors_by_service()), "errors")
        .ask(queries::each_service(&queries::latency_by_service()), "p99")
        .ask(queries::lag(), "lag")
        .ask(queries::restarts(), "restarts")
        .ask(queries::memory(), "memory")
        .ask(queries::memory_of_limit(), "of limit")
        .first(&["service"])
        .column(Column::new("service").width(110).link("Open the service", "/d/mesh-service?var-service=${__data.fields.service}&${__url_time_range}"))
        .column(Column::new("up").word("0", "away", Colour::Bad).word("1", "up", Colour::Good).width(50))
        .column(Column::new("requests").unit(Unit::Requests, 1).width(90))
        .column(Column::new("errors").unit(Unit::Share, 1).thresholds(&[(0.001, Colour::Warning), (0.01, Colour::Bad)]).width(60))
        .column(Column::new("p99").unit(Unit::Seconds, 0).width(70))
        .column(Column::new("lag").unit(Unit::Count, 0).thresholds(&[(100.0, Colour::Warning), (1000.0, Colour::Bad)]).width(50))
        .column(Column::new("restarts").unit(Unit::Count, 0).thresholds(&[(1.0, Colour::Warning), (3.0, Colour::Bad)]).width(75))
        .column(Column::new("memory").unit(Unit::Bytes, 0).width(80))
        .column(Column::new("of limit").unit(Unit::Share, 0).thresholds(&[(0.8, Colour::Warning), (0.9, Colour::Bad)]).width(65))
        .size(16, 11)
}

fn flow() -> Vec<Panel> {
    vec![
        by_outcome("Orders that ended", "Orders that come to an end, by how; each counts once. Less than is placed: the flow stops somewhere; the dashboard Flows shows between which two.")
            .size(8, 8),
        latency("From click to answer", "How long the gateway takes to answer an order. The dashed line is the promise. The diamonds are traces: click one to see where its time went.", flows::answered, "")
            .line(slo::seconds(slo::ORDER_WITHIN), Colour::Bad)
            .size(8, 8),
        latency("From placed to the end", "How long an order takes. The dashed line is the promise. The diamonds are traces.", flows::duration, "{{outcome}}")
            .line(slo::seconds(slo::FLOW_WITHIN), Colour::Bad)
            .size(8, 8),
        Panel::new(Kind::Lines, "Oldest open order", "How long ago the oldest order was placed that is neither completed nor cancelled. Growing: at least one stands still, which no duration shows. MeshOrderStuck pages at two minutes.")
            .ask(flows::oldest_open(), "oldest")
            .unit(Unit::Seconds)
            .line(120.0, Colour::Bad)
            .size(12, 8),
        Panel::new(Kind::Lines, "Events that wait", "Records on Kafka that a group has not handled, and events in outboxes. Growing: that consumer is too slow or stuck, or Kafka takes nothing; the dashboard Events has more.")
            .ask("sum by (group) (mesh_consumer_lag)".into(), "{{group}}")
            .ask(events::outbox(), "outbox of {{service}}")
            .size(12, 8),
    ]
}

/// The graph of services. It stands at the end, since it takes a whole screen: Grafana does not scale it down.
fn graph() -> Panel {
    Panel::new(Kind::Graph, "Calls and events", "Which service asks which, over calls and events: counted in the traces that Jaeger keeps of the time shown. An arrow that is gone: that call is made no more. A failing service that others point to is the cause, one that points to others a victim.")
            .question(Source::Dependencies, "")
            .size(24, 24)
}
