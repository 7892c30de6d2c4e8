use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn mistakes(text: &str) -> String {
    parse("rules.yaml", text, MINUTE).expect_err(text).to_string()
}

#[test]
fn a_file_has_groups_of_recording_rules_and_alerts() {
    let text = r#"
groups:
  - name: first
    interval: 30s
    limit: 7
    query_offset: 1m
    labels: {team: shop, severity: none}
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: Down
        expr: up == 0
        for: 1m30s
        keep_firing_for: 5m
        labels: {severity: page, kind: "{{ $labels.job }}"}
        annotations: {summary: "{{ $labels.job }} is down"}
  - name: second
    rules:
"#;
    let groups = parse("rules.yaml", text, MINUTE).unwrap();
    let states: Vec<_> = groups.iter().map(Group::snapshot).collect();
    assert_eq!((&*states[0].name, &*states[0].file), ("first", "rules.yaml"));
    assert_eq!((states[0].interval.as_secs(), states[0].limit), (30, 7));
    assert_eq!((states[1].interval, states[1].rules.len()), (MINUTE, 0));
    let recording = &states[0].rules[0].rule;
    assert_eq!((&*recording.name, &*recording.expression), ("job:up:sum", "sum by (job) (up)"));
    assert_eq!(recording.labels, Labels::from([("team", "shop"), ("severity", "none")]));
    let alert = &states[0].rules[1].rule;
    let expected = [("team", "shop"), ("severity", "page"), ("kind", "{{ $labels.job }}")];
    assert_eq!(alert.labels, Labels::from(expected));
    let Kind::Alerting(alerting) = &alert.kind else { panic!("it is an alert") };
    assert_eq!((alerting.hold.as_secs(), alerting.keep_firing_for.as_secs()), (90, 300));
    assert_eq!(alerting.annotations["summary"], "{{ $labels.job }} is down");
}

#[test]
fn an_empty_file_has_no_groups() {
    for text in ["", "# only a comment", "groups:", "groups: []", "{}"] {
        assert_eq!(parse("rules.yaml", text, MINUTE).unwrap().len(), 0, "{text:?}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_reported_with_group_rule_and_reason() {
    let text = r#"
version: 1
groups:
  - name: a
    intervall: 5s
    labels: {__name__: x}
    rules:
      - record: "a{b}"
        expr: sum(
        for: 1m
      - alert: Down
        expr: up
        for: 5
        severity: page
        labels: {"": x, b: "{{ frobnicate }}"}
        annotations: {summary: "{{ $nothing }}"}
      - expr: up
      - {record: a, alert: b, expr: up}
      - {record: c}
  - name: a
    interval: 1x
"#;
    let text = mistakes(text);
    let expected = [
        "rules.yaml: unknown key \"version\"",
        "rules.yaml: group 1: unknown key \"intervall\"",
        "rules.yaml: group 1, rule 2: unknown key \"severity\"",
        "rules.yaml: group \"a\", labels: \"__name__\" is no name for a label",
        "rules.yaml: group \"a\", rule 1, \"a{b}\": expr: ",
        "rules.yaml: group \"a\", rule 1, \"a{b}\": record: \"a{b}\" is no name for a series",
        "rules.yaml: group \"a\", rule 1, \"a{b}\": for is for alerts, and this rule records a series",
        "rules.yaml: group \"a\", rule 2, \"Down\": labels: \"\" is no name for a label",
        "rules.yaml: group \"a\", rule 2, \"Down\": for: \"5\" is no duration",
        "rules.yaml: group \"a\", rule 2, \"Down\": labels: b: function \"frobnicate\" not defined",
        "rules.yaml: group \"a\", rule 2, \"Down\": annotations: summary: undefined variable \"$nothing\"",
        "rules.yaml: group \"a\", rule 3, \"\": has neither record nor alert",
        "rules.yaml: group \"a\", rule 4, \"b\": has record and alert; expected one of them",
        "rules.yaml: group \"a\", rule 5, \"c\": expr: it is missing",
        "rules.yaml: group \"a\", another group of this file has this name",
        "rules.yaml: group \"a\", interval: \"1x\" is no duration",
    ];
    for line in expected {
        assert!(text.contains(line), "{line}\n is not among\n{text}");
    }
    assert_eq!(text.matches("rules.yaml: ").count(), expected.len(), "{text}");
}

#[test]
fn what_is_not_yaml_is_refused_with_its_place() {
    for text in [
        "groups: [",
        "groups: {name: a}",
        "- a",
        "groups: [{name: a, name: b}]",
        "groups: [{rules: [{expr: [a]}]}]",
    ] {
        assert!(mistakes(text).starts_with("rules.yaml: "), "{text}");
    }
    assert!(mistakes("groups:\n  - name: a\n    rules: 5").contains("line 3"));
}

#[test]
fn files_and_expressions_have_a_maximum_size() {
    let long =
        format!("groups: [{{name: a, rules: [{{record: b, expr: '{}1'}}]}}]", "1 + ".repeat(5_000));
    assert!(mistakes(&long).contains("expr has 20001 bytes; at most 16384 are allowed"));
    let huge = "#".repeat(MAX_FILE + 1);
    assert!(mistakes(&huge).contains("the file has 1048577 bytes; at most 1048576 are allowed"));
}
