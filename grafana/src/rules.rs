//! The rule files of Prometheus: recorded series first, alerts on them second; and the same rules as a `PrometheusRule` for
//! clusters with the Prometheus operator.

mod objectives;
mod services;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::alerts;

pub use services::{SERVICES, WORKED};

/// A group of rules, which Prometheus evaluates one after the other at an interval.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// The name that Prometheus uses in its own metrics.
    pub name: String,
    /// The interval; without it, the default of the Prometheus that evaluates the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<&'static str>,
    /// The rules, in the order of their evaluation.
    pub rules: Vec<Rule>,
}

/// A recorded series or an alert.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Rule {
    /// A series that is computed once and read often.
    Recording(Recording),
    /// A condition that raises an alert.
    Alerting(Alerting),
}

/// A series that is computed once and read often. <https://prometheus.io/docs/practices/rules/>
#[derive(Clone, Debug, Serialize)]
pub struct Recording {
    /// level:metric:operation.
    pub record: String,
    /// How it is computed.
    pub expr: String,
    /// Labels that the expression itself does not have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<&'static str, String>,
}

/// A condition that raises an alert.
#[derive(Clone, Debug, Serialize)]
pub struct Alerting {
    /// The alert's name, which is also its heading among the runbooks.
    pub alert: &'static str,
    /// The condition: one alert for each series of the result.
    pub expr: String,
    /// How long the condition must hold before the alert fires.
    #[serde(rename = "for")]
    pub hold: &'static str,
    /// How long the alert goes on firing after the condition last held: one that comes and goes is one incident.
    #[serde(rename = "keep_firing_for", skip_serializing_if = "Option::is_none")]
    pub keep: Option<&'static str>,
    /// The severity, which decides who is notified.
    pub labels: BTreeMap<&'static str, String>,
    /// The texts of the notification.
    pub annotations: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Groups {
    groups: Vec<Group>,
}

/// <https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.PrometheusRule>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PrometheusRule {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: Groups,
}

#[derive(Serialize)]
struct Metadata {
    name: &'static str,
    labels: BTreeMap<&'static str, &'static str>,
}

/// All recorded series.
pub fn recording() -> Vec<Group> {
    [objectives::groups(), services::groups(), vec![alerts::index()]].concat()
}

/// The files below `grafana/`, with their text.
pub fn files() -> Vec<(String, String)> {
    let (recording, alerts) = (recording(), alerts::groups());
    let labels = [
        ("app.kubernetes.io/name", "prometheus"),
        ("app.kubernetes.io/part-of", "glassmesh"),
        ("app.kubernetes.io/component", "observability"),
    ];
    let operator = PrometheusRule {
        api_version: "monitoring.coreos.com/v1",
        kind: "PrometheusRule",
        metadata: Metadata { name: "glassmesh", labels: labels.into() },
        spec: Groups { groups: [recording.clone(), alerts.clone()].concat() },
    };
    vec![
        ("rules/recording.yaml".into(), yaml(&Groups { groups: recording })),
        ("rules/alerts.yaml".into(), yaml(&Groups { groups: alerts })),
        ("operator/prometheusrule.yaml".into(), yaml(&operator)),
    ]
}

const MADE: &str = "# Made by grafana/src: change it there, and run cargo test -p grafana.\n";

fn yaml(value: &impl Serialize) -> String {
    let options = serde_saphyr::ser_options! { compact_list_indent: false, folded_wrap_chars: 120 };
    let text = serde_saphyr::to_string_with_options(value, options);
    MADE.to_owned() + &text.expect("structs of strings are YAML")
}
