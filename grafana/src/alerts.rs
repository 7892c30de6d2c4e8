//! The alerts: those that page, and those that open a ticket.
//!
//! The objectives come first. The others are symptoms that explain them, or that users would feel only when it is too late.
//! The hold times are short where a condition does not flap: a reader who breaks a part to see what happens wants to see the
//! alert within a minute.

mod budgets;
mod events;
mod processes;
mod telemetry;

use std::collections::BTreeMap;

use crate::{
    dashboards,
    rules::{Alerting, Group, Recording, Rule},
};

/// Three evaluations: a fault that one scrape saw and the next did not raises no alert. For conditions that do not clear at
/// once by themselves, and for counters over a window, which hold the alert up by themselves.
const SEEN: &str = "15s";
/// Longer than a planned restart of one process takes, a broker included: Kafka needs ten seconds after a kill.
const RESTARTED: &str = "30s";
/// For values that go up and down with the load: a burst raises no alert.
const LASTING: &str = "1m";
/// For conditions that come and go while their cause stays: a process that crashes again and again answers in between.
const KEPT: Option<&str> = Some("1m");

/// A symptom: users feel it, or will soon, and it does not heal by itself. The person on call is woken.
const PAGE: &str = "page";
/// A cause, or a problem that can wait: its symptoms have pages of their own. The operator looks at it in the morning.
const TICKET: &str = "ticket";
/// Not a problem: this alert always fires, and a dead man's switch reports its absence.
const NONE: &str = "none";

/// The base URL of an alert's links: the front door, if Prometheus has a URL behind it (`--web.external-url`). Otherwise the
/// links are relative.
pub const FRONT_DOOR: &str = r#"{{ reReplaceAll "/prometheus/?$" "" $externalURL }}"#;

/// One alert, as the modules below write it.
#[derive(Clone)]
struct Alert {
    name: &'static str,
    severity: &'static str,
    hold: &'static str,
    keep: Option<&'static str>,
    expr: String,
    /// One line, short enough for the screen of a telephone.
    summary: &'static str,
    /// What the alert means, with its values.
    description: &'static str,
    /// The dashboard to look at first: its uid, and the variables that it takes from the alert.
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

/// All groups of alerts.
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

/// The runbook and the dashboard of each alert, as series: a panel joins them to the alerts that fire.
pub(crate) fn index() -> Group {
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

/// Like [`counted`], for a part that is not ours: its counter may appear with the first event that it counts, which
/// `increase` does not show.
fn counted_from_nothing(by: &str, counter: &str, window: &str) -> String {
    format!(
        "sum by ({by}) (increase({counter}[{window}]) > 0 or ({counter} > 0 unless {counter} offset {window}))"
    )
}

/// Fires if a counter of faults increased within a window, by labels.
fn counted(by: &str, counter: &str, window: &str) -> String {
    format!("sum by ({by}) (increase({counter}[{window}])) > 0")
}
