//! The alerts of one rule, and their states.

mod restore;

pub(crate) use restore::Outage;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use promql::{Labels, METRIC_NAME};

use crate::{
    results,
    rule::{Alerting, Rule},
    snapshot::{Alert, State},
    template::{Data, Template},
};

/// How long a resolved alert is kept, as in Prometheus.
const RESOLVED_RETENTION: Duration = Duration::from_secs(15 * 60);

/// The series of an alert, while it is pending or firing.
const ALERTS: &str = "ALERTS";

/// The series with the moment since which an alert's condition holds.
const FOR_STATE: &str = "ALERTS_FOR_STATE";

const ALERT_NAME: &str = "alertname";
const ALERT_STATE: &str = "alertstate";

/// The alerts of one rule by their labels.
#[derive(Debug, Default)]
pub(crate) struct Alerts(BTreeMap<Labels, Alert>);

/// How many alerts a rule may have.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// The limit of the group; 0 for none.
    pub(crate) of_group: usize,
    /// The maximum of resolved alerts; the oldest are dropped.
    pub(crate) resolved: usize,
}

impl Alerts {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Alert> {
        self.0.values()
    }

    /// Takes the results of the rule's expression at a moment, and returns the alerts that began to fire or were resolved.
    pub(crate) fn update(
        &mut self,
        current: Vec<Alert>,
        rule: &Alerting,
        at_ms: i64,
        limits: Limits,
    ) -> Result<Vec<Alert>, String> {
        let holding: BTreeSet<_> = current.iter().map(|alert| alert.labels.clone()).collect();
        if holding.len() < current.len() {
            return Err("two results have the same labels after the labels of the alert were set"
                .to_owned());
        }
        for alert in current {
            match self.0.get_mut(&alert.labels) {
                Some(known) if known.state != State::Inactive => {
                    (known.value, known.annotations) = (alert.value, alert.annotations);
                }
                _ => drop(self.0.insert(alert.labels.clone(), alert)),
            }
        }
        let mut changed = Vec::new();
        self.0.retain(|labels, alert| {
            let before = alert.state;
            let is_kept = alert.advance(holding.contains(labels), rule, at_ms);
            if alert.state != before && (before == State::Firing || alert.state == State::Firing) {
                changed.push(alert.clone());
            }
            is_kept
        });
        let active = self.0.values().filter(|alert| alert.state != State::Inactive).count();
        if limits.of_group > 0 && active > limits.of_group {
            self.0.clear();
            return Err(format!("exceeded limit of {} with {active} alerts", limits.of_group));
        }
        self.forget_resolved(limits.resolved);
        Ok(changed)
    }

    /// Drops the oldest resolved alerts beyond a maximum: labels that change each minute must not fill the memory.
    fn forget_resolved(&mut self, max: usize) {
        let mut resolved: Vec<_> =
            self.0.values().filter_map(|alert| alert.resolved_at_ms).collect();
        if resolved.len() > max {
            resolved.sort_unstable();
            let oldest = resolved[resolved.len() - max - 1];
            self.0.retain(|_, alert| alert.resolved_at_ms.is_none_or(|at_ms| at_ms > oldest));
        }
    }

    /// The samples of `ALERTS` and `ALERTS_FOR_STATE`.
    pub(crate) fn samples(&self) -> Vec<(Labels, f64)> {
        let active = self.0.values().filter(|alert| alert.state != State::Inactive);
        let samples = active.flat_map(|alert| {
            let state = [(METRIC_NAME, ALERTS), (ALERT_STATE, alert.state.as_str())];
            let since = alert.active_at_ms.div_euclid(1_000) as f64;
            [
                (results::with(&alert.labels, state), 1.0),
                (results::with(&alert.labels, [(METRIC_NAME, FOR_STATE)]), since),
            ]
        });
        samples.collect()
    }
}

impl Alert {
    /// A result of a rule's expression, with labels and annotations from its templates.
    pub(crate) fn new(rule: &Rule, alerting: &Alerting, data: &Data<'_>, at_ms: i64) -> Self {
        let expand = |template: &Template| match template.expand(data) {
            Ok(text) => text,
            Err(reason) => format!("<error expanding template: {reason}>"),
        };
        let own = data.labels.iter().filter(|(name, _)| **name != *METRIC_NAME).cloned();
        let of_rule = alerting
            .label_templates
            .iter()
            .map(|(name, template)| (Arc::clone(name), Arc::from(expand(template))));
        let name = (Arc::from(ALERT_NAME), Arc::clone(&rule.name));
        let annotations = alerting.annotation_templates.iter();
        let annotations = annotations.map(|(name, template)| (name.to_string(), expand(template)));
        Self {
            labels: Labels::new(own.chain(of_rule).chain([name])),
            annotations: Arc::new(annotations.collect()),
            state: State::Pending,
            value: data.value,
            active_at_ms: at_ms,
            fired_at_ms: None,
            keep_firing_since_ms: None,
            resolved_at_ms: None,
        }
    }

    /// Moves on to the next state; whether the alert is kept.
    fn advance(&mut self, holds: bool, rule: &Alerting, at_ms: i64) -> bool {
        let elapsed = |since_ms: i64| at_ms - since_ms;
        if holds {
            self.keep_firing_since_ms = None;
        } else if self.state == State::Firing && !rule.keep_firing_for.is_zero() {
            let since = *self.keep_firing_since_ms.get_or_insert(at_ms);
            if elapsed(since) >= millis(rule.keep_firing_for) {
                return self.end(at_ms);
            }
        } else {
            return self.end(at_ms);
        }
        let held_long_enough = elapsed(self.active_at_ms) >= millis(rule.hold);
        match self.state {
            State::Pending if held_long_enough => {
                (self.state, self.fired_at_ms) = (State::Firing, Some(at_ms));
            }
            // Its `for` was restored, and it is younger than was known.
            State::Firing if !held_long_enough => {
                self.state = State::Pending;
                (self.fired_at_ms, self.keep_firing_since_ms) = (None, None);
            }
            _ => {}
        }
        true
    }

    /// The condition no longer holds: a pending alert is forgotten, one that fired is kept as resolved for a while.
    fn end(&mut self, at_ms: i64) -> bool {
        match self.state {
            State::Pending => false,
            State::Firing => {
                (self.state, self.resolved_at_ms) = (State::Inactive, Some(at_ms));
                true
            }
            State::Inactive => self
                .resolved_at_ms
                .is_some_and(|since_ms| at_ms - since_ms <= millis(RESOLVED_RETENTION)),
        }
    }
}

/// Milliseconds as a difference of moments.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
