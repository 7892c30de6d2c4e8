use std::time::Duration;

use chassis::metrics::Registry;
use promql::Labels;

use super::*;

const TARGET: [(&str, &str); 3] =
    [("instance", "127.0.0.1:1"), ("job", "payments"), ("service", "payments")];

fn rules(settings: &config::Rules) -> anyhow::Result<(Rules, Arc<Store>, Registry)> {
    let storage = Arc::new(Store::new(config::Kept::default().into()));
    let registry = Registry::new();
    let metrics = RuleMetrics::register(&registry)?;
    Ok((Rules::new(&storage, settings, metrics, Clock::default())?, storage, registry))
}

/// The alerts that are pending or firing, apart from the one that always fires, and those of services that these tests lack.
fn alerts(rules: &Rules) -> Vec<String> {
    let groups = (rules.groups())();
    let active = groups.iter().flat_map(|group| &group.rules).flat_map(|rule| rule.active());
    let active = active.filter(|alert| ["", "payments"].contains(&alert.labels.get("service")));
    let shown = active.map(|alert| format!("{} {}", alert.name(), alert.state.as_str()));
    shown.filter(|alert| alert != "Watchdog firing").collect()
}

/// Two minutes of a service that answers, and then none: the rules of the mesh report it.
#[test]
fn a_service_that_no_longer_answers_is_reported_within_a_minute() {
    let (rules, storage, registry) = rules(&config::Rules::default()).unwrap();
    let target = Labels::from(TARGET);
    let mut fired_ms = None;
    for at_ms in (0..240_000).step_by(2_000) {
        let took = Duration::from_millis(5);
        if at_ms < 120_000 {
            storage.scrape(&target, at_ms, took, "mesh_build_info 1\n").unwrap();
        } else {
            storage.scrape_failed(&target, at_ms, took);
        }
        if at_ms % 5_000 < 2_000 {
            (0..rules.groups.len()).for_each(|place| rules.evaluate(place, at_ms));
        }
        if at_ms < 120_000 {
            assert_eq!(alerts(&rules), [""; 0], "at {at_ms} ms");
        }
        let fires = alerts(&rules).iter().any(|alert| alert == "MeshServiceAbsent firing");
        fired_ms = fired_ms.or(fires.then_some(at_ms));
    }
    let fired_ms = fired_ms.expect("the alert fires");
    assert!((120_000..=180_000).contains(&fired_ms), "{fired_ms} ms");
    let text = registry.text();
    assert!(text.contains(r#"mesh_lens_alerts{state="firing"}"#), "{text}");
    assert!(
        text.contains(r#"mesh_lens_rule_evaluation_failures_total{rule_group="slo"} 0"#),
        "{text}"
    );
}

#[test]
fn other_rule_files_take_the_place_of_those_of_the_mesh() {
    let folder = std::env::temp_dir().join(format!("lens-rules-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("own.yaml");
    let settings = config::Rules { files: vec![path.clone()], ..config::Rules::default() };
    let error = rules(&settings).err().unwrap();
    assert!(error.to_string().starts_with("read the rules in "), "{error}");
    fs::write(&path, "groups: [{name: own, rules: [{alert: A, expr: sum(}]}]").unwrap();
    let error = rules(&settings).err().unwrap().to_string();
    assert!(error.contains(r#"group "own", rule 1, "A": expr: "#), "{error}");
    fs::write(&path, "groups: [{name: own, rules: [{alert: A, expr: vector(1)}]}]").unwrap();
    let (rules, ..) = rules(&settings).unwrap();
    rules.evaluate(0, 5_000);
    assert_eq!(alerts(&rules), ["A firing"]);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn rules_are_not_evaluated_if_they_are_disabled_and_not_all_the_time() {
    let disabled = config::Rules { enabled: false, ..config::Rules::default() };
    assert_eq!((rules(&disabled).unwrap().0.groups())().len(), 0);
    let busy = config::Rules { every: Duration::ZERO, ..config::Rules::default() };
    let error = rules(&busy).err().unwrap().to_string();
    assert_eq!(error, "rules.every is 0ns; expected at least 1s");
}
