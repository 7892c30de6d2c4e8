//! The rules and alerts in the generated files, and their tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use grafana::{
    alerts, dashboards,
    rule_files::recording,
    rules::{Alerting, Recording, Rule, services},
};
use serde::Deserialize;

use crate::{contract::Contract, query};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The alert that always fires.
const WATCHDOG: &str = "Watchdog";

fn all_alerts() -> Vec<Alerting> {
    let rules = alerts::groups().into_iter().flat_map(|group| group.rules);
    rules
        .filter_map(|rule| if let Rule::Alerting(rule) = rule { Some(rule) } else { None })
        .collect()
}

fn all_recordings() -> Vec<Recording> {
    let rules = recording().into_iter().flat_map(|group| group.rules);
    rules
        .filter_map(|rule| if let Rule::Recording(rule) = rule { Some(rule) } else { None })
        .collect()
}

/// A file of `promtool test rules`.
#[derive(Deserialize)]
struct Tests {
    group_eval_order: Vec<String>,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    #[serde(default)]
    alert_rule_test: Vec<AlertTest>,
    #[serde(default)]
    promql_expr_test: Vec<Question>,
}

#[derive(Deserialize)]
struct AlertTest {
    alertname: String,
    exp_alerts: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    exp_labels: BTreeMap<String, String>,
    #[serde(default)]
    exp_annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Question {
    expr: String,
}

fn promtool() -> Vec<Tests> {
    let files = fs::read_dir(root().join("rules/tests")).expect("tests of the rules");
    let read = |path| fs::read_to_string(path).expect("a test of the rules");
    files
        .map(|file| file.expect("a test of the rules").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| serde_saphyr::from_str(&read(path)).expect("as promtool reads it"))
        .collect()
}

#[test]
fn every_rule_reads_series_that_exist() {
    let contract = Contract::read();
    let alerts = all_alerts().into_iter().map(|rule| (rule.alert.to_owned(), rule.expr));
    let recordings = all_recordings().into_iter().map(|rule| (rule.record, rule.expr));
    let mut wrong = Vec::new();
    for (name, expr) in alerts.chain(recordings) {
        let complaints = query::complaints(&expr, &contract).into_iter();
        wrong.extend(complaints.map(|complaint| format!("{name}: {complaint}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_alert_has_a_severity_a_runbook_and_a_dashboard() {
    let runbooks = fs::read_to_string(root().join("runbooks.md")).expect("the runbooks");
    let headings: BTreeSet<_> =
        runbooks.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    for alert in all_alerts() {
        let name = alert.alert;
        let severities: &[_] = if name == WATCHDOG { &["none"] } else { &["page", "ticket"] };
        assert!(name.starts_with("Mesh") || name == WATCHDOG, "{name}: all others begin with Mesh");
        assert!(severities.contains(&&*alert.labels["severity"]), "{name}: severity");
        assert!(alert.hold.ends_with(['s', 'm']), "{name}: for");
        for key in ["summary", "description"] {
            assert!(!alert.annotations[key].is_empty(), "{name}: {key}");
        }
        let values =
            ["$value", "$labels"].map(|word| alert.annotations["description"].contains(word));
        assert!(values.contains(&true), "{name}: the description has no value");
        // The URL is absolute where Prometheus knows its own URL.
        let path = |key: &str| alert.annotations[key].strip_prefix(alerts::FRONT_DOOR).expect(key);
        assert_eq!(path("runbook_url"), dashboards::runbook(name), "{name}");
        assert!(headings.contains(name), "{name} has no heading in runbooks.md");
        let url = path("dashboard_url");
        let uid = url.strip_prefix("/grafana/d/").and_then(|rest| rest.split('?').next());
        let file = format!("dashboards/{}.json", uid.expect("a dashboard"));
        assert!(root().join(&file).exists(), "{name}: there is no {file}");
    }
}

#[test]
fn every_runbook_belongs_to_an_alert() {
    let names: BTreeSet<_> = all_alerts().iter().map(|alert| alert.alert).collect();
    let runbooks = fs::read_to_string(root().join("runbooks.md")).expect("the runbooks");
    let headings = runbooks.lines().filter_map(|line| line.strip_prefix("## "));
    let stale: Vec<_> = headings.filter(|name| !names.contains(name)).collect();
    assert!(stale.is_empty(), "no such alerts: {stale:?}");
}

/// The tests of the rules see each alert fire with each severity and with all its annotations, and see it not fire.
#[test]
fn every_alert_is_tested_both_ways() {
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for test in promtool().iter().flat_map(|file| &file.tests) {
        for case in &test.alert_rule_test {
            if case.exp_alerts.is_empty() {
                silent.insert(case.alertname.clone());
            }
            for expected in &case.exp_alerts {
                assert_eq!(expected.exp_annotations.len(), 4, "{}: all it tells", case.alertname);
                let severity = expected.exp_labels["severity"].clone();
                fires.insert((case.alertname.clone(), severity));
            }
        }
    }
    for alert in all_alerts() {
        let name = alert.alert.to_owned();
        assert!(silent.contains(&name) || name == WATCHDOG, "{name} is never seen to be silent");
        let severity = alert.labels["severity"].clone();
        assert!(fires.contains(&(name, severity)), "{}: never seen to fire", alert.alert);
    }
}

#[test]
fn every_recorded_series_is_tested() {
    let files = promtool();
    let questions =
        files.iter().flat_map(|file| &file.tests).flat_map(|test| &test.promql_expr_test);
    let asked: Vec<_> = questions.map(|question| &question.expr).collect();
    for rule in all_recordings() {
        // One query may cover the series of all windows.
        let (stem, window) = match rule
            .record
            .rfind(|letter: char| !letter.is_ascii_digit() && !"mhd".contains(letter))
        {
            Some(end) => rule.record.split_at(end + 1),
            None => (&*rule.record, ""),
        };
        let one = |query: &&&String| {
            query.contains(&rule.record) || (query.contains(stem) && query.contains(window))
        };
        assert!(asked.iter().any(|query| one(&query)), "{} is not tested", rule.record);
    }
}

/// In another order, an alert may be evaluated before the series that it reads is recorded, and a test passes or fails by
/// chance.
#[test]
fn tests_evaluate_the_groups_in_their_order() {
    let groups: Vec<_> =
        recording().into_iter().chain(alerts::groups()).map(|group| group.name).collect();
    for file in promtool() {
        assert_eq!(file.group_eval_order, groups);
    }
}

/// The list of services that must be up is the list of existing services.
#[test]
fn the_absence_of_every_service_raises_an_alert() {
    let contract = fs::read_to_string(root().join("../tests/contracts/metrics.txt")).expect("it");
    let listed: BTreeSet<_> =
        contract.lines().filter(|line| !line.starts_with([' ', '#'])).collect();
    assert_eq!(listed, services().into_iter().collect());
}
