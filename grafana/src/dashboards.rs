//! The dashboards: what stands where.

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

/// All of them, in the order in which one looks at them.
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

/// Any of the services.
fn services() -> Variable {
    Variable::any("service", "Service", queries::services())
}

/// A number that is bad from the first of its kind.
fn none_of(title: &str, says: &str, query: String) -> Panel {
    Panel::new(Kind::Stat, title, says)
        .ask(query, title)
        .thresholds(&[(1.0, Colour::Bad)])
        .decimals(0)
}

/// How long something takes: the middle, and one in a hundred. The traces are asked for once, since they are the same; the axis is
/// logarithmic, since milliseconds and seconds stand beside each other.
fn latency(title: &str, says: &str, ask: impl Fn(f64) -> String, legend: &str) -> Panel {
    Panel::new(Kind::Lines, title, says)
        .ask_with_traces(ask(0.99), format!("p99 {legend}").trim_end())
        .ask(ask(0.5), format!("p50 {legend}").trim_end())
        .unit(Unit::Seconds)
        .logarithmic()
}

/// Traces that Jaeger finds. It tells only how long the first span took, which says little of a flow that goes on behind it.
fn traces(title: &str, says: &str) -> Panel {
    Panel::new(Kind::Traces, title, says)
        .without(&["Duration"])
        .widths(&[("Trace ID", 290), ("Start time", 200)])
}

/// Orders that take each status: a colour each, the same everywhere, darker with each step. Lines, since they are the same orders: stacked,
/// each would be counted once a status.
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

/// Orders that ended, by how: each is counted once, so that the areas add up.
fn by_outcome(title: &str, says: &str) -> Panel {
    Panel::new(Kind::Stacked, title, says)
        .ask(queries::flows::ended(), "{{status}}")
        .unit(Unit::PerSecond)
        .colour("completed", Colour::Good)
        .colour("cancelled", Colour::Warning)
}
