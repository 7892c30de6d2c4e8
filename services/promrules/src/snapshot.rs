//! What is known about rules and their alerts at one moment: what Prometheus answers at `/api/v1/rules` and `/api/v1/alerts`.

use std::{sync::Arc, time::Duration};

use promql::Labels;

use crate::rule::{Annotations, Rule};

/// A group of rules after its last evaluation.
#[derive(Clone, Debug)]
pub struct GroupState {
    /// The group's name.
    pub name: Arc<str>,
    /// The file that defines the group.
    pub file: Arc<str>,
    /// The interval between two evaluations.
    pub interval: Duration,
    /// The maximum of results of a rule; 0 if the group has no limit of its own.
    pub limit: usize,
    /// The last evaluation of all its rules.
    pub evaluation: Option<Evaluation>,
    /// Its rules in the order of the file.
    pub rules: Vec<RuleState>,
}

/// An evaluation of a rule or of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The moment that was evaluated, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// How long it took.
    pub took: Duration,
}

/// A rule after its last evaluation.
#[derive(Clone, Debug)]
pub struct RuleState {
    /// What the file says.
    pub rule: Arc<Rule>,
    /// Whether the last evaluation succeeded.
    pub health: Health,
    /// Why the last evaluation failed.
    pub last_error: Option<String>,
    /// The last evaluation.
    pub evaluation: Option<Evaluation>,
    /// Its alerts by labels, also those that were resolved in the last 15 minutes; empty for a recording rule.
    pub alerts: Vec<Alert>,
}

impl RuleState {
    /// Its alerts that are pending or firing.
    pub fn active(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.state != State::Inactive)
    }

    /// The highest state of its alerts; none before the first evaluation.
    pub fn state(&self) -> Option<State> {
        self.evaluation?;
        Some(self.alerts.iter().map(|alert| alert.state).max().unwrap_or(State::Inactive))
    }
}

/// Whether the last evaluation of a rule succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was never evaluated.
    #[default]
    Unknown,
    /// It succeeded.
    Ok,
    /// It failed.
    Err,
}

impl Health {
    /// As Prometheus' API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Err => "err",
        }
    }
}

/// An alert: a result of an alerting rule, identified by its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Its labels, with `alertname` and those of the rule.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Annotations,
    /// Its state.
    pub state: State,
    /// The last value of the expression.
    pub value: f64,
    /// Since when its condition holds, in milliseconds since the Unix epoch.
    pub active_at_ms: i64,
    /// When it began to fire.
    pub fired_at_ms: Option<i64>,
    /// Since when its condition no longer holds, while `keep_firing_for` keeps it firing.
    pub keep_firing_since_ms: Option<i64>,
    /// When it was resolved; such an alert is inactive.
    pub resolved_at_ms: Option<i64>,
}

impl Alert {
    /// Its name: the label `alertname`.
    pub fn name(&self) -> &str {
        self.labels.get("alertname")
    }
}

/// The state of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It was resolved.
    Inactive,
    /// Its condition holds, but not for long enough.
    Pending,
    /// It fires.
    Firing,
}

impl State {
    /// As Prometheus' API and the label `alertstate` write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}
