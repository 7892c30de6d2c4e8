//! The rule files of Prometheus: recorded series first, alerts on them second; and the same rules as a `PrometheusRule` for
//! clusters with the Prometheus operator.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    alerts,
    rules::{self, Group},
};

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
    [rules::groups(), vec![alerts::index()]].concat()
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
