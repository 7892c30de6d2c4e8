//! The rule files of Prometheus: recorded series first, alerts on them second; and the same for who runs the operator.

mod objectives;
mod services;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::alerts;

pub use services::{SERVICES, WORKED};

/// Rules that are evaluated one after the other, again and again.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// What Prometheus calls it in its own metrics.
    pub name: String,
    /// How often; as often as is usual for that Prometheus without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<&'static str>,
    /// In this order.
    pub rules: Vec<Rule>,
}

/// A recorded series or an alert.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Rule {
    /// A series that is computed once and read often.
    Recording(Recording),
    /// A condition that somebody is told of.
    Alerting(Alerting),
}

/// A series that is computed once and read often. <https://prometheus.io/docs/practices/rules/>
#[derive(Clone, Debug, Serialize)]
pub struct Recording {
    /// level:metric:operation.
    pub record: String,
    /// How it is computed.
    pub expr: String,
    /// What the expression's own labels do not tell.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<&'static str, String>,
}

/// A condition that somebody is told of.
#[derive(Clone, Debug, Serialize)]
pub struct Alerting {
    /// Its name, and its heading among the runbooks.
    pub alert: &'static str,
    /// What must not be: one alert for each series of the answer.
    pub expr: String,
    /// How long it must have been so.
    #[serde(rename = "for")]
    pub hold: &'static str,
    /// How long it goes on after it was last so: one that comes and goes is one incident.
    #[serde(rename = "keep_firing_for", skip_serializing_if = "Option::is_none")]
    pub keep: Option<&'static str>,
    /// Who is told, and what it is about.
    pub labels: BTreeMap<&'static str, String>,
    /// What is told.
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
