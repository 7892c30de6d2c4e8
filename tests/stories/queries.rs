//! Every query of every dashboard and rule is answered with nothing installed: by lens.

use std::collections::BTreeSet;

use grafana::{
    dashboards, rule_files,
    rules::{Group, Rule},
};
use harness::{Mesh, Options, until};
use serde_json::Value;

/// What Grafana replaces in a query before it sends it.
const VARIABLES: [(&str, &str); 5] = [
    ("$__rate_interval", "1m"),
    ("$__range", "5m"),
    ("$service", ".+"),
    ("$topic", ".+"),
    ("$group", ".+"),
];

/// All queries to Prometheus below a value of a dashboard.
fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let is_ours = fields.get("datasource").is_some_and(|one| one["type"] == "prometheus");
            if let (true, Some(query)) = (is_ours, fields.get("expr").and_then(Value::as_str)) {
                let replace =
                    |query: String, (name, value): &(&str, &str)| query.replace(name, value);
                found.insert(VARIABLES.iter().fold(query.to_owned(), replace));
            }
            fields.values().for_each(|value| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// The queries of all dashboards.
fn of_dashboards() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for dashboard in dashboards::all() {
        collect(&serde_json::from_str(&dashboard.to_json()).expect("JSON"), &mut found);
    }
    found
}

/// The expressions of all rules, and the names of the series that they record.
fn of_rules() -> (BTreeSet<String>, BTreeSet<String>) {
    let groups: Vec<Group> =
        rule_files::recording().into_iter().chain(grafana::alerts::groups()).collect();
    let (mut queries, mut recorded) = (BTreeSet::new(), BTreeSet::new());
    for rule in groups.into_iter().flat_map(|group| group.rules) {
        match rule {
            Rule::Recording(rule) => {
                queries.insert(rule.expr);
                recorded.insert(rule.record);
            }
            Rule::Alerting(rule) => {
                queries.insert(rule.expr);
            }
        }
    }
    (queries, recorded)
}

/// Whether the result of a query over the last minute has a number; an error is the text of the refusal.
async fn has_numbers(mesh: &Mesh, query: &str) -> Result<bool, String> {
    let now = mesh.values("time()").await;
    let end = *now.first().ok_or("lens does not say what time it is")?;
    let period = [("start", end - 60.0), ("end", end)].map(|(name, at)| (name, at.to_string()));
    let [start, end] = period.each_ref().map(|(name, at)| (*name, at.as_str()));
    let data =
        mesh.prometheus("query_range", &[("query", query), start, end, ("step", "5")]).await?;
    let series = data["result"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let mut values = series.filter_map(|one| one["values"].as_array()).flatten();
    Ok(values.any(|value| value[1] != "NaN"))
}

/// lens evaluates all of them: every series that a rule records exists, and no panel about the mesh is empty.
pub(crate) async fn lens_answers_every_query_of_dashboards_and_rules(options: Options) {
    let mesh = options.with_lens().start().await;
    let load = ["load", "--rate", "10", "--duration", "5s", "--mix", "tok_ok=8,tok_declined=2"];
    let load = mesh.run(&load).await;
    assert!(load.status.success(), "{load:?}");
    let (rules, recorded) = of_rules();
    let panels = of_dashboards();
    assert!(panels.len() > 100 && rules.len() > 80, "{} and {}", panels.len(), rules.len());
    for name in recorded.iter().filter(|name| !NOTHING_TO_RECORD.contains(&name.as_str())) {
        until(&format!("{name} to be recorded"), || async {
            has_numbers(&mesh, name).await.is_ok_and(|has| has).then_some(())
        })
        .await;
    }
    let (mut empty, mut refused) = (Vec::new(), Vec::new());
    let all: BTreeSet<_> = panels.union(&rules).collect();
    for query in &all {
        match has_numbers(&mesh, query).await {
            Ok(true) => {}
            Ok(false) => empty.push(*query),
            Err(error) => refused.push(format!("{error}: {query}")),
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
    show(&format!("{} of {} queries have a result", all.len() - empty.len(), all.len()));
    let has_reason = |query: &str| WITHOUT_RESULT.iter().any(|reason| query.contains(reason));
    empty.retain(|query| panels.contains(*query) && !has_reason(query));
    assert!(empty.is_empty(), "panels without a number: {empty:#?}");
}

/// Panels with one of these are empty here: they show parts that do not run, or what is wrong.
const WITHOUT_RESULT: [&str; 5] =
    ["otelcol_", "prometheus_", "service=\"\"", "ALERTS{", "slo:budget_spent"];

/// Recorded series that a mesh has not after some seconds: a budget is not spent, and the index is recorded once a minute.
const NOTHING_TO_RECORD: [&str; 2] = ["slo:budget_spent:timestamp_seconds", "alert:runbook:info"];

#[expect(clippy::print_stdout, reason = "a figure of this run, but no promise")]
fn show(text: &str) {
    println!("{text}");
}
