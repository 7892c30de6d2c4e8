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
        Panel::new(Kind::Stat, "Services", "The number of services that Prometheus reaches, of eight.")
            .ask(queries::services_up(), "services")
            .thresholds(&[(0.0, Colour::Bad), (8.0, Colour::Good)])
            .decimals(0)
            .size(6, 3),
        Panel::new(Kind::Stat, "Missing", "The services that Prometheus does not reach now: they are down, frozen or unreachable. MeshServiceAbsent fires half a minute later.")
            .ask(queries::services_away(), "{{service}}")
            .thresholds(&[(1.0, Colour::Bad)])
            .named()
            .size(6, 3),
        none_of("Pages", "Firing alerts of severity page: symptoms that need a person at once. The table below names them and links to their runbooks.", queries::firing_count("page")).size(6, 3),
        Panel::new(Kind::Stat, "Tickets", "Firing alerts of severity ticket: causes, and what can wait until the morning.")
            .ask(queries::firing_count("ticket"), "tickets")
            .thresholds(&[(1.0, Colour::Warning)])
            .decimals(0)
            .size(6, 3),
        Panel::new(Kind::Stat, "Placed", "Orders accepted each second. If it is zero under load, no request succeeds: look at the gateway in the dashboard Service.")
            .ask(flows::placed(), "placed")
            .unit(Unit::PerSecond)
            .size(6, 3),
        Panel::new(Kind::Stat, "Completed", "The share of ended orders that were completed in the selected time. As in the objective, declined cards and cancellations by customers do not count. It falls when the payment provider does not answer or reservations expire: the dashboard Flows shows the reasons.")
            .ask(flows::completed_share(), "completed")
            .unit(Unit::Share)
            .thresholds(&[(0.0, Colour::Bad), (0.95, Colour::Warning), (0.99, Colour::Good)])
            .size(6, 3),
        none_of("Letters", "Dead letters: events that were set aside in the selected time. `mesh dlq list` shows them; the dashboard Events shows where they come from.", events::dead_letters_of_all()).size(6, 3),
        none_of("Panics", "Panics that were caught in the selected time. Each is a bug: the log of the service shows its place in the code.", runtime::panics_of_all()).size(6, 3),
    ]
}

fn promises() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Table, "Promises", "What is left of the error budget of each objective over 30 days. When it is spent, the objective is missed: stop releases and read the burn rate beside. It covers only what Prometheus keeps: the last column shows how much of the 30 days that is.")
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
        Panel::new(Kind::Lines, "Burn rate", "How much faster than allowed the error budget is used, over five minutes. At 1 it lasts exactly 30 days, at 14.4 two days: an alert of severity page fires.")
            .ask(queries::burn("5m"), "{{slo}}")
            .unit(Unit::Times)
            .line(1.0, Colour::Warning)
            .line(14.4, Colour::Bad)
            .size(12, 7),
        Panel::new(Kind::Table, "Alerts", "Firing and pending alerts. It is empty when the mesh is healthy. Click an alert to open its runbook or the dashboard that shows the problem.")
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
            .named()
            .size(24, 6),
    ]
}

fn services() -> Vec<Panel> {
    let link = |panel: Panel| panel.link("Open the service", queries::SERVICE_LINK);
    vec![
        table(),
        Panel::new(Kind::States, "Up", "Whether Prometheus reaches each service. Red: the service is down, frozen or unreachable, and its other lines end there.")
            .ask(queries::up(), "{{service}}")
            .word(0, "away", Colour::Bad)
            .word(1, "answers", Colour::Good)
            .size(8, 11),
        link(Panel::new(Kind::Lines, "Requests by service", "Requests, calls and events that each service handles. If one line falls to zero while others go on, that service is stuck or gone.")
            .ask(queries::requests_by_service(), "{{service}}")
            .unit(Unit::Requests)),
        link(Panel::new(Kind::Lines, "Errors by service", "The share of them that failed through the service's own fault. Look first at the deepest service in the call graph that shows errors.")
            .ask(queries::errors_by_service(), "{{service}}")
            .unit(Unit::Share)
            .thresholds(&[(0.01, Colour::Bad)])),
        link(Panel::new(Kind::Lines, "p99 by service", "The 99th percentile of durations, on a logarithmic axis. Payments waits for the payment provider: seconds come from slow tokens. Click a line for its dashboard, which has the traces.")
            .ask(queries::latency_by_service(), "{{service}}")
            .unit(Unit::Seconds)
            .logarithmic()),
    ]
}

/// A table with one row for each service.
fn table() -> Panel {
    Panel::new(Kind::Table, "Each service", "Each service now: whether it is up, its requests, errors by its own fault, 99th percentile, waiting records, starts in the selected time, the memory of its largest process, and the share of its limit (of the machine's memory if it has no limit). Click a name to open its dashboard.")
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
        Panel::new(Kind::Lines, "Oldest open order", "The age of the oldest order that is neither completed nor cancelled. If it grows, at least one order is stuck, which no duration shows. MeshOrderStuck pages after two minutes.")
            .ask(flows::oldest_open(), "oldest")
            .unit(Unit::Seconds)
            .line(120.0, Colour::Bad)
            .size(12, 8),
        Panel::new(Kind::Lines, "Events that wait", "Records on Kafka that a group has not handled, and events in outboxes. If it grows, a consumer is too slow or stuck, or Kafka accepts no events. The dashboard Events shows more.")
            .ask("sum by (group) (mesh_consumer_lag)".into(), "{{group}}")
            .ask(events::outbox(), "outbox of {{service}}")
            .size(12, 8),
    ]
}

/// The graph of services. It stands at the end, since it takes a whole screen: Grafana does not scale it down.
fn graph() -> Panel {
    Panel::new(Kind::Graph, "Calls and events", "Which service calls which, over gRPC, HTTP and events, counted in the traces that Jaeger keeps for the selected time. A missing arrow means that the call is no longer made. Among failing services, the one that only receives arrows is the likely cause.")
            .question(Source::Dependencies, "")
            .size(24, 24)
}
