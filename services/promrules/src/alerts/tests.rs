use super::*;

const LIMITS: Limits = Limits { of_group: 0, resolved: 100 };

fn rule(hold_s: u64, keep_firing_for_s: u64) -> Alerting {
    Alerting {
        hold: Duration::from_secs(hold_s),
        keep_firing_for: Duration::from_secs(keep_firing_for_s),
        annotations: Arc::default(),
        label_templates: vec![],
        annotation_templates: vec![],
    }
}

fn result(instance: &str, value: f64, at_s: i64) -> Alert {
    Alert {
        labels: Labels::from([("alertname", "Down"), ("instance", instance)]),
        annotations: Arc::default(),
        state: State::Pending,
        value,
        active_at_ms: at_s * 1_000,
        fired_at_ms: None,
        keep_firing_since_ms: None,
        resolved_at_ms: None,
    }
}

/// One alert that holds at some of the moments; its state after each, `-` if there is none.
fn story(rule: &Alerting, moments: &[(i64, bool)]) -> String {
    let mut alerts = Alerts::default();
    let mut states = Vec::new();
    for (at_s, holds) in moments {
        let results = if *holds { vec![result("a", 1.0, *at_s)] } else { vec![] };
        alerts.update(results, rule, at_s * 1_000, LIMITS).unwrap();
        states.push(alerts.iter().next().map_or("-", |alert| alert.state.as_str()));
    }
    states.join(" ")
}

#[test]
fn an_alert_is_pending_then_firing_then_resolved_and_forgotten_after_15_minutes() {
    let moments = [(0, true), (59, true), (60, true), (75, false), (975, false), (976, false)];
    assert_eq!(story(&rule(60, 0), &moments), "pending pending firing inactive inactive -");
}

#[test]
fn a_pending_alert_whose_condition_ends_is_forgotten() {
    let moments = [(0, true), (30, false), (45, true), (90, true), (105, true)];
    assert_eq!(story(&rule(60, 0), &moments), "pending - pending pending firing");
}

#[test]
fn without_for_an_alert_fires_at_once() {
    assert_eq!(story(&rule(0, 0), &[(0, true), (5, false), (10, true)]), "firing inactive firing");
}

#[test]
fn keep_firing_for_bridges_a_gap() {
    let moments =
        [(0, true), (15, false), (30, true), (45, false), (74, false), (105, false), (120, false)];
    assert_eq!(
        story(&rule(0, 60), &moments),
        "firing firing firing firing firing inactive inactive"
    );
}

#[test]
fn keep_firing_for_does_not_keep_a_pending_alert() {
    assert_eq!(story(&rule(60, 60), &[(0, true), (15, false)]), "pending -");
}

#[test]
fn a_resolved_alert_that_returns_is_pending_again() {
    let moments = [(0, true), (60, true), (75, false), (90, true), (149, true), (150, true)];
    assert_eq!(story(&rule(60, 0), &moments), "pending firing inactive pending pending firing");
}

#[test]
fn only_alerts_that_begin_to_fire_or_are_resolved_are_reported_each_once() {
    let (rule, mut alerts) = (rule(10, 0), Alerts::default());
    let mut at = |at_s: i64, instances: &[&str]| {
        let results = instances.iter().map(|instance| result(instance, 1.0, at_s)).collect();
        let changed = alerts.update(results, &rule, at_s * 1_000, LIMITS).unwrap();
        let text =
            |alert: &Alert| format!("{} {}", alert.labels.get("instance"), alert.state.as_str());
        changed.iter().map(text).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(at(0, &["a", "b"]), "");
    assert_eq!(at(5, &["a"]), "");
    assert_eq!(at(10, &["a", "c"]), "a firing");
    assert_eq!(at(15, &["a", "c"]), "");
    assert_eq!(at(20, &["c"]), "a inactive, c firing");
    assert_eq!(at(25, &["c"]), "");
}

#[test]
fn value_and_annotations_follow_the_last_evaluation_and_active_at_does_not() {
    let (rule, mut alerts) = (rule(10, 0), Alerts::default());
    for at_s in 0..3 {
        alerts.update(vec![result("a", at_s as f64, at_s)], &rule, at_s * 1_000, LIMITS).unwrap();
    }
    let alert = alerts.iter().next().unwrap();
    assert_eq!((alert.value, alert.active_at_ms), (2.0, 0));
}

#[test]
fn samples_say_the_state_and_since_when_the_condition_holds() {
    let (rule, mut alerts) = (rule(10, 0), Alerts::default());
    let mut samples = |at_s: i64| {
        alerts.update(vec![result("a", 7.0, at_s)], &rule, at_s * 1_000, LIMITS).unwrap();
        alerts
            .samples()
            .iter()
            .map(|(labels, value)| format!("{labels} {value}"))
            .collect::<Vec<_>>()
    };
    let since = r#"ALERTS_FOR_STATE{alertname="Down", instance="a"} 90"#;
    let pending = r#"ALERTS{alertname="Down", alertstate="pending", instance="a"} 1"#;
    let firing = r#"ALERTS{alertname="Down", alertstate="firing", instance="a"} 1"#;
    assert_eq!(samples(90), [pending, since]);
    assert_eq!(samples(100), [firing, since]);
}

#[test]
fn two_results_with_the_same_labels_are_an_error() {
    let mut alerts = Alerts::default();
    let twice = vec![result("a", 1.0, 0), result("a", 2.0, 0)];
    assert!(alerts.update(twice, &rule(0, 0), 0, LIMITS).unwrap_err().contains("same labels"));
}

#[test]
fn more_alerts_than_the_group_allows_are_an_error_and_drop_all_of_them() {
    let limits = Limits { of_group: 1, ..LIMITS };
    let mut alerts = Alerts::default();
    alerts.update(vec![result("a", 1.0, 0)], &rule(0, 0), 0, limits).unwrap();
    let error =
        alerts.update(vec![result("a", 1.0, 5), result("b", 1.0, 5)], &rule(0, 0), 5_000, limits);
    assert_eq!(error.unwrap_err(), "exceeded limit of 1 with 2 alerts");
    assert_eq!(alerts.iter().count(), 0);
}

#[test]
fn the_oldest_resolved_alerts_make_room() {
    let limits = Limits { resolved: 2, ..LIMITS };
    let mut alerts = Alerts::default();
    for at_s in 0..5 {
        let instance = format!("i{at_s}");
        alerts
            .update(vec![result(&instance, 1.0, at_s)], &rule(0, 0), at_s * 1_000, limits)
            .unwrap();
    }
    let kept: Vec<_> = alerts.iter().map(|alert| alert.labels.get("instance")).collect();
    assert_eq!(kept, ["i2", "i3", "i4"]);
}
