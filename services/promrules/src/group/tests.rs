use std::cell::RefCell;

use promql::{Error, Memory, Sample, Select, Value, Visit};

use super::*;
use crate::{file, snapshot::State};

#[derive(Default)]
struct Recorded(RefCell<Memory>);

impl Storage for Recorded {
    fn select(&self, select: &Select<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.0.borrow().select(select, visit)
    }
}

impl Append for Recorded {
    fn append(&self, _: &str, at_ms: i64, samples: &[(Labels, f64)]) {
        for (labels, value) in samples {
            self.0.borrow_mut().append(labels, Sample { at_ms, value: *value });
        }
    }
}

impl Recorded {
    fn add(&self, series: [(&str, &str); 2], at_s: i64, value: f64) {
        self.append("", at_s * 1_000, &[(Labels::from(series), value)]);
    }

    /// The results of a query, by labels.
    fn shown(&self, text: &str, at_s: i64) -> Vec<String> {
        let query = Query::parse(text).unwrap();
        let value = query.instant(self, at_s * 1_000, &promql::Options::default()).unwrap();
        let Value::Vector(vector) = value else { panic!("{value:?}") };
        let lines = vector.iter().map(|(labels, sample)| format!("{labels} {}", sample.value));
        let mut lines: Vec<_> = lines.collect();
        lines.sort();
        lines
    }
}

const UP: [(&str, &str); 2] = [("__name__", "up"), ("job", "orders")];

fn group(rules: &str) -> Group {
    let text = format!("groups: [{{name: g, rules: [{rules}]}}]");
    file::parse("rules.yaml", &text, Duration::from_secs(5)).unwrap().remove(0)
}

#[test]
fn a_rule_reads_what_the_rule_before_it_recorded_at_the_same_moment() {
    let storage = Recorded::default();
    storage.add(UP, 10, 2.0);
    let mut group =
        group("{record: a, expr: up * 2}, {record: b, expr: a + 1, labels: {kind: sum}}");
    let outcome = group.evaluate(&storage, 10_000, &Options::default());
    assert_eq!((outcome.failures.len(), outcome.samples), (0, 2));
    assert_eq!(storage.shown("b", 10), [r#"b{job="orders", kind="sum"} 5"#]);
}

#[test]
fn a_series_that_a_rule_no_longer_has_ends_at_once() {
    let storage = Recorded::default();
    storage.add(UP, 10, 2.0);
    let mut group = group("{record: a, expr: up > 1}");
    group.evaluate(&storage, 10_000, &Options::default());
    storage.add(UP, 15, 0.0);
    group.evaluate(&storage, 15_000, &Options::default());
    assert_eq!(storage.shown("a", 14), [r#"a{job="orders"} 2"#]);
    assert_eq!(storage.shown("a", 15), [""; 0]);
}

#[test]
fn a_rule_that_fails_stops_no_other_and_says_why() {
    let storage = Recorded::default();
    storage.add(UP, 10, 2.0);
    storage.add([("__name__", "up"), ("job", "payments")], 10, 1.0);
    let mut group =
        group(r#"{record: a, expr: up, labels: {job: one}}, {record: b, expr: count(up)}"#);
    assert_eq!(group.snapshot().rules[0].health.as_str(), "unknown");
    let outcome = group.evaluate(&storage, 10_000, &Options::default());
    assert_eq!(outcome.failures.len(), 1);
    let state = group.snapshot();
    assert_eq!(state.rules[0].health, Health::Err);
    assert!(state.rules[0].last_error.as_deref().unwrap().contains("same labels"));
    assert_eq!((state.rules[1].health, state.rules[1].last_error.as_deref()), (Health::Ok, None));
    assert_eq!(storage.shown("b", 10), ["b 2"]);
}

#[test]
fn more_results_than_are_allowed_are_an_error_that_names_the_limit() {
    let storage = Recorded::default();
    for job in ["a", "b", "c"] {
        storage.add([("__name__", "up"), ("job", job)], 10, 1.0);
    }
    let options = Options { max_results: 2, ..Options::default() };
    let outcome = group("{record: a, expr: up}").evaluate(&storage, 10_000, &options);
    assert_eq!(
        outcome.failures[0].1,
        "the rule has 3 results; at most 2 are allowed: aggregate them"
    );
}

#[test]
fn an_alert_has_labels_and_annotations_from_its_templates() {
    let storage = Recorded::default();
    storage.add(UP, 10, 0.5);
    let rule = r#"{alert: Down, expr: up < 1, labels: {who: "{{ $labels.job }}"}, annotations: {text: "{{ $value | humanizePercentage }}"}}"#;
    let mut group = group(rule);
    let outcome = group.evaluate(&storage, 10_000, &Options::default());
    let alert = &outcome.changed[0];
    assert_eq!(alert.labels.to_string(), r#"{alertname="Down", job="orders", who="orders"}"#);
    assert_eq!((alert.annotations["text"].as_str(), alert.state), ("50%", State::Firing));
    let series = r#"ALERTS{alertname="Down", alertstate="firing", job="orders", who="orders"} 1"#;
    assert_eq!(storage.shown("ALERTS", 10), [series]);
}

/// `for` of an hour; the process ends after 40 minutes and is away for ten.
#[test]
fn after_a_restart_an_alert_goes_on_pending_where_it_was() {
    let storage = Recorded::default();
    let rule = "{alert: Down, expr: up < 1, for: 1h}";
    let mut before = group(rule);
    for at_s in (0..=2_400).step_by(60) {
        storage.add(UP, at_s, 0.0);
        before.evaluate(&storage, at_s * 1_000, &Options::default());
    }
    let mut after = group(rule).restored();
    for at_s in [3_000, 3_060] {
        storage.add(UP, at_s, 0.0);
        after.evaluate(&storage, at_s * 1_000, &Options::default());
    }
    // Since the beginning, without the eleven minutes between the last sample and the restoration.
    assert_eq!(after.snapshot().rules[0].alerts[0].active_at_ms, 660_000);
    storage.add(UP, 4_260, 0.0);
    after.evaluate(&storage, 4_260_000, &Options::default());
    assert_eq!(after.snapshot().rules[0].alerts[0].state, State::Firing);
}
