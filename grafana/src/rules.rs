//! The rules of Prometheus as data, and the recorded series of objectives and services.

mod objectives;
mod services;

use std::collections::BTreeMap;

use serde::Serialize;

pub use services::{WORKED, services};

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

/// The recorded series of the objectives and of the services.
pub(crate) fn groups() -> Vec<Group> {
    [objectives::groups(), services::groups()].concat()
}
