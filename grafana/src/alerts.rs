//! What is worth waking for, or worth a ticket.
//!
//! The promises come first; what follows are symptoms that explain them, or that nobody would feel before it is too late. How
//! long each must have been so is short where it does not flap: who breaks something to see what happens wants to see it
//! within a minute.

mod budgets;
mod events;
mod processes;
mod telemetry;

use std::collections::BTreeMap;

use crate::{
    dashboards,
    rules::{Alerting, Group, Rule},
};

/// Three evaluations: what one scrape saw and the next did not is no alert. For what does not come back by itself at once,
/// and for counters over a window, which hold the alert up by themselves.
const SEEN: &str = "15s";
/// Longer than a planned restart of one process takes, of a broker too: Kafka needs ten seconds after a kill.
const RESTARTED: &str = "30s";
/// For what goes up and down with the load: a burst is no alert.
const LASTING: &str = "1m";

/// Somebody is woken: users feel it, or will soon, and it does not mend itself.
const PAGE: &str = "page";
/// Somebody looks at it in the morning.
const TICKET: &str = "ticket";

/// One alert, as it is written down here.
#[derive(Clone)]
struct Alert {
    name: &'static str,
    severity: &'static str,
    hold: &'static str,
    expr: String,
    /// One line, as it stands on a telephone.
    summary: &'static str,
    /// What it means, with the values.
    description: &'static str,
    /// Where to look first: a dashboard's uid and the variables that it takes from the alert.
    dashboard: &'static str,
}

impl Alert {
    fn rule(self) -> Rule {
        Rule::Alerting(Alerting {
            alert: self.name,
            expr: self.expr,
            hold: self.hold,
            labels: [("severity", self.severity.to_owned())].into(),
            annotations: annotations(
                self.name,
                self.summary.into(),
                self.description.into(),
                self.dashboard,
            ),
        })
    }
}

fn annotations(
    name: &str,
    summary: String,
    description: String,
    dashboard: &str,
) -> BTreeMap<&'static str, String> {
    [
        ("summary", summary),
        ("description", description),
        ("runbook_url", dashboards::runbook(name)),
        ("dashboard_url", format!("/grafana/d/{dashboard}")),
    ]
    .into()
}

/// All of them.
pub fn groups() -> Vec<Group> {
    [
        ("budgets", budgets::rules()),
        ("events", rules(events::alerts())),
        ("processes", rules(processes::alerts())),
        ("telemetry", rules(telemetry::alerts())),
    ]
    .map(|(name, rules)| Group { name: name.into(), interval: None, rules })
    .into()
}

fn rules(alerts: Vec<Alert>) -> Vec<Rule> {
    alerts.into_iter().map(Alert::rule).collect()
}

/// What must not be counted in a window, by labels.
fn counted(by: &str, counter: &str, window: &str) -> String {
    format!("sum by ({by}) (increase({counter}[{window}])) > 0")
}
