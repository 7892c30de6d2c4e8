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
    rules::{Alerting, Group, Recording, Rule},
};

/// Three evaluations: what one scrape saw and the next did not is no alert. For what does not come back by itself at once,
/// and for counters over a window, which hold the alert up by themselves.
const SEEN: &str = "15s";
/// Longer than a planned restart of one process takes, of a broker too: Kafka needs ten seconds after a kill.
const RESTARTED: &str = "30s";
/// For what goes up and down with the load: a burst is no alert.
const LASTING: &str = "1m";
/// For what comes and goes while its cause stays: a process that dies again and again answers in between.
const KEPT: Option<&str> = Some("1m");

/// A symptom: users feel it, or will soon, and it does not mend itself. Somebody is woken.
const PAGE: &str = "page";
/// A cause, or something that can wait: the symptoms that it has are pages of their own. Somebody looks at it in the morning.
const TICKET: &str = "ticket";
/// No alert at all: it always fires, and its absence is what a dead man's switch reports.
const NONE: &str = "none";

/// Where everything is that an alert links to: the front door, if Prometheus has a URL behind it (`--web.external-url`); links
/// are relative to it otherwise.
pub const FRONT_DOOR: &str = r#"{{ reReplaceAll "/prometheus/?$" "" $externalURL }}"#;

/// One alert, as it is written down here.
#[derive(Clone)]
struct Alert {
    name: &'static str,
    severity: &'static str,
    hold: &'static str,
    keep: Option<&'static str>,
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
            keep: self.keep,
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
        ("runbook_url", format!("{FRONT_DOOR}{}", dashboards::runbook(name))),
        ("dashboard_url", format!("{FRONT_DOOR}/grafana/d/{dashboard}")),
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

/// Where the runbook and the dashboard of each alert are, as series: a panel joins them to the alerts that fire.
pub fn index() -> Group {
    let mut rules: Vec<Rule> = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    for rule in groups().into_iter().flat_map(|group| group.rules) {
        let Rule::Alerting(alert) = rule else { continue };
        if !known.insert(alert.alert) {
            continue;
        }
        let url = &alert.annotations["dashboard_url"];
        let dashboard = url.rsplit('/').next().and_then(|rest| rest.split('?').next());
        let labels = [
            ("alertname", alert.alert.to_owned()),
            ("runbook", dashboards::runbook_panel(alert.alert)),
            ("dashboard", dashboard.unwrap_or_default().to_owned()),
        ];
        rules.push(Rule::Recording(Recording {
            record: "alert:runbook:info".into(),
            expr: "vector(1)".into(),
            labels: labels.into(),
        }));
    }
    Group { name: "index".into(), interval: Some("1m"), rules }
}

/// The same of a part that is not ours: its counter may appear with the first thing that it counts, which no increase shows.
fn counted_from_nothing(by: &str, counter: &str, window: &str) -> String {
    format!(
        "sum by ({by}) (increase({counter}[{window}]) > 0 or ({counter} > 0 unless {counter} offset {window}))"
    )
}

/// What must not be counted in a window, by labels.
fn counted(by: &str, counter: &str, window: &str) -> String {
    format!("sum by ({by}) (increase({counter}[{window}])) > 0")
}
