//! All dashboards, and helpers that several of them use.

mod events;
mod flows;
mod overview;
mod runbooks;
mod runtime;
mod service;
mod telemetry;

pub use runbooks::{panel_of as runbook_panel, url_of as runbook};

use crate::{
    dashboard::{Dashboard, Variable},
    panel::{Colour, Kind, Panel, Unit},
    queries,
};

/// All dashboards, in the order in which a reader looks at them.
pub fn all() -> Vec<Dashboard> {
    vec![
        overview::dashboard(),
        service::dashboard(),
        events::dashboard(),
        flows::dashboard(),
        runtime::dashboard(),
        telemetry::dashboard(),
        runbooks::dashboard(),
    ]
}

/// The variable `service`: any of the services.
fn services() -> Variable {
    Variable::any("service", "Service", queries::services())
}

/// A number that is bad as soon as it is not zero.
fn none_of(title: &str, says: &str, query: String) -> Panel {
    Panel::new(Kind::Stat, title, says)
        .ask(query, title)
        .thresholds(&[(1.0, Colour::Bad)])
        .decimals(0)
}

/// How long an operation takes: the median and the 99th percentile. Only one of the two queries asks for exemplars, since
/// they are the same for both. The axis is logarithmic, since milliseconds and seconds stand beside each other.
fn latency(title: &str, says: &str, ask: impl Fn(f64) -> String, legend: &str) -> Panel {
    Panel::new(Kind::Lines, title, says)
        .ask_with_traces(ask(0.99), format!("p99 {legend}").trim_end())
        .ask(ask(0.5), format!("p50 {legend}").trim_end())
        .unit(Unit::Seconds)
        .logarithmic()
}

/// Traces that Jaeger finds. Jaeger shows only the duration of the first span, which says little about a flow that goes on
/// behind it.
fn traces(title: &str, says: &str) -> Panel {
    Panel::new(Kind::Traces, title, says)
        .without(&["Duration"])
        .widths(&[("Trace ID", 290), ("Start time", 200)])
}

/// Orders that reach each status. Each status has the same colour everywhere, darker with each step. The series are lines,
/// since they count the same orders: stacked, an order would be counted once for each status.
fn by_status(title: &str, says: &str) -> Panel {
    Panel::new(Kind::Lines, title, says)
        .ask(queries::flows::by_status(), "{{status}}")
        .unit(Unit::PerSecond)
        .colour("placed", Colour::Palest)
        .colour("paid", Colour::Pale)
        .colour("dispatched", Colour::Neutral)
        .colour("completed", Colour::Good)
        .colour("cancelled", Colour::Bad)
}

/// Orders that ended, by outcome: each is counted once, so that the areas add up.
fn by_outcome(title: &str, says: &str) -> Panel {
    Panel::new(Kind::Stacked, title, says)
        .ask(queries::flows::ended(), "{{status}}")
        .unit(Unit::PerSecond)
        .colour("completed", Colour::Good)
        .colour("cancelled", Colour::Warning)
}
