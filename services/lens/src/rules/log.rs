//! What is logged of rules: each change once.

use chassis::text::printable;
use promrules::{Alert, GroupState, Health, State};

/// The maximum of characters of labels in a log line.
const MAX_LABELS: usize = 300;

/// The maximum of characters of an error in a log line.
const MAX_ERROR: usize = 500;

/// Logs the alerts that began to fire or were resolved.
pub(super) fn alerts(changed: &[Alert]) {
    for alert in changed {
        let labels = printable(&alert.labels.to_string(), MAX_LABELS);
        let name = printable(alert.name(), MAX_LABELS);
        match alert.state {
            // It always fires, to show that alerts arrive.
            State::Firing if alert.labels.get("severity") == "none" => {
                tracing::debug!(alert = name, labels, "alert firing");
            }
            State::Firing => tracing::warn!(alert = name, labels, "alert firing"),
            _ => tracing::info!(alert = name, labels, "alert resolved"),
        }
    }
}

/// Logs the rules that began to fail or to work again.
pub(super) fn failures(before: &GroupState, now: &GroupState) {
    for (before, now_rule) in before.rules.iter().zip(&now.rules) {
        let (group, rule) =
            (printable(&now.name, MAX_LABELS), printable(&now_rule.rule.name, MAX_LABELS));
        match (before.health, now_rule.health) {
            (Health::Unknown | Health::Ok, Health::Err) => {
                let error =
                    printable(now_rule.last_error.as_deref().unwrap_or_default(), MAX_ERROR);
                tracing::warn!(group, rule, error, "rule failed");
            }
            (Health::Err, Health::Ok) => tracing::info!(group, rule, "rule works again"),
            _ => {}
        }
    }
}
