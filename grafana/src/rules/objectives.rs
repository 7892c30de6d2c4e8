//! What has become of the promises: how much was bad over each window, and how much of the budget is left.

use super::{Group, Recording, Rule};
use crate::slo::{self, Slo};

/// Windows that are short enough to be computed at every evaluation. The others read days of samples, and move slowly.
const FAST: usize = 4;
/// For the others: a budget does not change faster than anybody looks.
const SLOWLY: &str = "30s";

pub(super) fn groups() -> Vec<Group> {
    let (fast, slow) = slo::WINDOWS.split_at(FAST);
    let mut first: Vec<_> = slo::ALL.iter().map(objective).collect();
    first.extend(every(fast));
    let mut second: Vec<_> = every(slow);
    second.extend(slo::ALL.iter().map(|slo| ratio(slo, slo::PERIOD)));
    second.push(budget());
    vec![
        Group { name: "slo".into(), interval: None, rules: first },
        Group { name: "slo-slow".into(), interval: Some(SLOWLY), rules: second },
    ]
}

fn every(windows: &[&str]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for window in windows {
        rules.extend(slo::ALL.iter().map(|slo| ratio(slo, window)));
        if slo::BURNS.iter().any(|burn| burn.long == *window) {
            rules.extend(slo::ALL.iter().map(|slo| number(slo, window)));
        }
    }
    rules
}

fn recorded(slo: &Slo, record: String, expr: String) -> Rule {
    Rule::Recording(Recording { record, expr, labels: [("slo", slo.name.to_owned())].into() })
}

fn objective(slo: &Slo) -> Rule {
    recorded(slo, "slo:objective:ratio".into(), format!("vector({})", slo.objective))
}

fn ratio(slo: &Slo, window: &str) -> Rule {
    recorded(slo, format!("slo:bad:ratio_rate{window}"), slo.bad_ratio(window))
}

fn number(slo: &Slo, window: &str) -> Rule {
    recorded(slo, format!("slo:bad:increase{window}"), slo.bad_number(window))
}

/// 1 while nothing was bad, 0 when it is used up, negative when more was used than there was.
fn budget() -> Rule {
    let expr = format!("1 - slo:bad:ratio_rate{} / (1 - slo:objective:ratio)", slo::PERIOD);
    let record = "slo:budget_remaining:ratio".into();
    Rule::Recording(Recording { record, expr, labels: [].into() })
}
