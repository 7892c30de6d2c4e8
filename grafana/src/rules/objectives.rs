//! Recorded series of the objectives: the share of bad events over each window, and the rest of the error budget.
//!
//! Short windows are computed from the counters. Long ones are sums of the values recorded every [`STEP`]: three days of a
//! histogram are millions of samples, three days of these sums are a thousand.

use super::{Group, Recording, Rule};
use crate::slo::{self, Slo};

/// How many windows are computed from the counters at every evaluation: the first ones of [`slo::WINDOWS`].
const FAST: usize = 3;
/// The interval for the others: a budget changes slowly.
const SLOWLY: &str = "30s";
/// The step of the recorded sums that long windows are made of.
const STEP: &str = "5m";
/// [`STEP`] in seconds.
const STEP_S: u32 = 300;

pub(super) fn groups() -> Vec<Group> {
    let (fast, slow) = slo::WINDOWS.split_at(FAST);
    let mut first: Vec<_> = slo::ALL.iter().map(objective).collect();
    first.extend(slo::ALL.iter().map(|slo| number(slo, STEP)));
    first.extend(slo::ALL.iter().map(|slo| bad_number(slo, STEP)));
    for window in fast {
        first.extend(slo::ALL.iter().map(|slo| ratio(slo, window)));
    }
    let counted = fast.iter().filter(|window| **window != STEP && is_long(window));
    first.extend(counted.flat_map(|window| slo::ALL.iter().map(|slo| bad_number(slo, window))));
    let mut second: Vec<_> =
        slow.iter().chain([&slo::PERIOD]).map(|window| long_ratio(window)).collect();
    let counted = slow.iter().filter(|window| is_long(window)).chain([&slo::PERIOD]);
    second.extend(counted.map(|window| long_bad_number(window)));
    second.extend([known(), budget(), spent()]);
    vec![
        Group { name: "slo".into(), interval: None, rules: first },
        Group { name: "slo-slow".into(), interval: Some(SLOWLY), rules: second },
    ]
}

/// Whether an alert uses the number of bad events in this window.
fn is_long(window: &str) -> bool {
    slo::BURNS.iter().any(|burn| burn.long == window)
}

fn of_one(slo: &Slo, record: String, expr: String) -> Rule {
    Rule::Recording(Recording { record, expr, labels: [("slo", slo.name.to_owned())].into() })
}

/// A rule for all objectives at once: the expression has the label `slo`.
fn of_all(record: &str, expr: String) -> Rule {
    Rule::Recording(Recording { record: record.to_owned(), expr, labels: [].into() })
}

fn objective(slo: &Slo) -> Rule {
    of_one(slo, "slo:objective:ratio".into(), format!("vector({})", slo.objective))
}

fn ratio(slo: &Slo, window: &str) -> Rule {
    of_one(slo, format!("slo:bad:ratio_rate{window}"), slo.bad_ratio(window))
}

fn number(slo: &Slo, window: &str) -> Rule {
    of_one(slo, format!("slo:events:increase{window}"), slo.number(window))
}

fn bad_number(slo: &Slo, window: &str) -> Rule {
    of_one(slo, format!("slo:bad:increase{window}"), slo.bad_number(window))
}

fn summed(what: &str, window: &str) -> String {
    format!("sum_over_time(slo:{what}:increase{STEP}[{window}:{STEP}])")
}

/// The share of bad events; 0 where there were no events.
fn long_ratio(window: &str) -> Rule {
    let (bad, all) = (summed("bad", window), summed("events", window));
    let expr = format!("{bad}\n  / ({all} > 0)\nor 0 * slo:objective:ratio");
    of_all(&format!("slo:bad:ratio_rate{window}"), expr)
}

fn long_bad_number(window: &str) -> Rule {
    of_all(
        &format!("slo:bad:increase{window}"),
        format!("{}\nor 0 * slo:objective:ratio", summed("bad", window)),
    )
}

/// How many seconds of [`slo::PERIOD`] the numbers cover: Prometheus may have run, or may keep data, for a shorter time.
fn known() -> Rule {
    let steps = format!("count_over_time(slo:objective:ratio[{}:{STEP}])", slo::PERIOD);
    of_all("slo:window:seconds", format!("{STEP_S} * {steps}\nor 0 * slo:objective:ratio"))
}

/// The rest of the budget: 1 if nothing was bad, 0 if it is used up, negative if more was used. Bad events that are too few
/// for an alert use up nothing.
fn budget() -> Rule {
    let (period, least) = (slo::PERIOD, slo::LEAST_BAD);
    let expr = format!(
        "1 - slo:bad:ratio_rate{period} / (1 - slo:objective:ratio)\n  and slo:bad:increase{period} >= {least}\n\
         or 1 + 0 * slo:objective:ratio"
    );
    of_all("slo:budget_remaining:ratio", expr)
}

/// When a budget that is used up first became so, as a Unix time: the recorded value, or now. No series while some of it is
/// left.
fn spent() -> Rule {
    let gone = "slo:budget_remaining:ratio <= 0";
    let expr = format!("slo:budget_spent:timestamp_seconds and {gone}\nor time() + 0 * ({gone})");
    of_all("slo:budget_spent:timestamp_seconds", expr)
}
