//! Every query of every dashboard and rule, and samples of every series that they may select.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use promql::{Labels, Query};
use promql_parser::label::{MatchOp, Matcher};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    data::{self, Data, Life, Shape},
    random::Random,
};

/// Values for the variables of the dashboards; Grafana itself replaces those that begin with two underscores.
const VARIABLES: [(&str, &str); 5] = [
    ("$__rate_interval", "30s"),
    ("$__range", "5m"),
    ("$__interval", "15s"),
    ("${service}", "orders"),
    ("$service", "orders"),
];

/// A rule; a recorded one has a name that other queries use.
pub(crate) struct Rule {
    pub(crate) record: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) query: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn texts(folder: &str, extension: &str) -> Vec<String> {
    let files = fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The rules, those that record first.
pub(crate) fn rules() -> Vec<Rule> {
    #[derive(Deserialize)]
    struct File {
        groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        rules: Vec<Written>,
    }
    #[derive(Deserialize)]
    struct Written {
        record: Option<String>,
        expr: String,
        #[serde(default)]
        labels: BTreeMap<String, String>,
    }
    let files = texts("grafana/rules", "yaml");
    let files = files.iter().map(|text| serde_saphyr::from_str::<File>(text).unwrap());
    let written = files.flat_map(|file| file.groups).flat_map(|group| group.rules);
    let mut rules: Vec<_> = written
        .map(|rule| Rule { record: rule.record, labels: rule.labels, query: rule.expr })
        .collect();
    rules.sort_by_key(|rule| rule.record.is_none());
    rules
}

/// The queries of the dashboards and of the rules, each once.
pub(crate) fn questions() -> BTreeSet<String> {
    let mut questions = BTreeSet::new();
    for text in texts("grafana/dashboards", "json") {
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        let variables = dashboard.pointer("/templating/list").and_then(Value::as_array);
        let variables: Vec<_> = variables
            .into_iter()
            .flatten()
            .filter_map(|variable| variable["name"].as_str())
            .filter(|name| *name != "service")
            .collect();
        let mut found = Vec::new();
        find(&dashboard, &mut found);
        questions.extend(found.iter().map(|query| with_values(query, &variables)));
    }
    questions.extend(rules().into_iter().map(|rule| rule.query));
    questions
}

/// Adds every `expr` that Prometheus is asked.
fn find(json: &Value, found: &mut Vec<String>) {
    match json {
        Value::Array(items) => items.iter().for_each(|item| find(item, found)),
        Value::Object(fields) => {
            let source = json.pointer("/datasource/type").and_then(Value::as_str);
            if let (Some(query), Some("prometheus")) = (fields.get("expr"), source) {
                found.push(query.as_str().unwrap().to_owned());
            }
            fields.values().for_each(|field| find(field, found));
        }
        _ => {}
    }
}

/// A variable that has no value above matches everything.
fn with_values(query: &str, variables: &[&str]) -> String {
    let known =
        VARIABLES.iter().fold(query.to_owned(), |query, (name, value)| query.replace(name, value));
    variables.iter().fold(known, |query, name| query.replace(&format!("${name}"), ".+"))
}

/// Samples of every metric in the contract, with the labels that the queries expect.
pub(crate) fn samples() -> Data {
    let wanted = wanted();
    let mut data = Data::new();
    let mut random = Random::new(5);
    let contracts = ["metrics.txt", "parts.txt"]
        .map(|name| fs::read_to_string(root().join("tests/contracts").join(name)).unwrap());
    let mut owner = "";
    for line in contracts.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty()) {
        if !line.starts_with(' ') {
            owner = line;
            continue;
        }
        let mut words = line.split_whitespace();
        let (name, kind) = (words.next().unwrap(), words.next().unwrap());
        let names: Vec<_> = words.collect();
        for series in label_sets(name, &names, &wanted) {
            let target = [("service", owner), ("job", owner), ("instance", "127.0.0.1:1")];
            let labels: Vec<_> =
                target.into_iter().chain(series.iter().map(|(k, v)| (*k, v.as_str()))).collect();
            add(&mut data, name, kind, &labels, &mut random);
        }
    }
    data
}

/// The values that the queries name for a label, whatever the metric.
fn wanted() -> BTreeMap<String, BTreeSet<String>> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for question in questions() {
        let Ok(query) = Query::parse(&question) else { continue };
        for matchers in query.selectors() {
            for Matcher { op, name, value } in matchers.matchers {
                let values: Vec<_> = match op {
                    MatchOp::Equal | MatchOp::NotEqual => vec![value],
                    MatchOp::Re(_) | MatchOp::NotRe(_) => {
                        let plain = |c: char| c.is_alphanumeric() || "_-./ ".contains(c);
                        let words = value.split('|').filter(|word| word.chars().all(plain));
                        words.map(str::to_owned).collect()
                    }
                };
                wanted.entry(name).or_default().extend(values);
            }
        }
    }
    wanted
}

/// A few combinations of values.
fn label_sets<'a>(
    metric: &str,
    names: &[&'a str],
    wanted: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<Vec<(&'a str, String)>> {
    const MOST: usize = 6;
    let values = |name: &str| {
        let named = wanted.get(name).into_iter().flatten().filter(|value| !value.is_empty());
        let mut values: Vec<_> = named.cloned().collect();
        values.push(format!("other {}", metric.len() % 3));
        values
    };
    if names.is_empty() {
        return vec![Vec::new()];
    }
    let choices: Vec<_> = names.iter().map(|name| (*name, values(name))).collect();
    let most = choices.iter().map(|(_, values)| values.len()).max().unwrap().min(MOST);
    (0..most)
        .map(|turn| {
            let chosen = |(name, values): &(&'a str, Vec<String>)| {
                (*name, values[turn % values.len()].clone())
            };
            choices.iter().map(chosen).collect()
        })
        .collect()
}

fn add(data: &mut Data, name: &str, kind: &str, labels: &[(&str, &str)], random: &mut Random) {
    let mut put = |name: &str, labels: Labels, shape: &Shape| {
        let samples = data::samples(shape, Life::Always, random);
        assert!(data.insert(labels, samples).is_none(), "{name} is there twice");
    };
    match kind {
        "counter" => put(name, data::labels(name, labels), &Shape::Counter(10.0)),
        "histogram" => {
            for (growth, le) in [(1.0, "0.005"), (2.0, "0.1"), (3.0, "1"), (4.0, "+Inf")] {
                let bucket =
                    data::labels(&format!("{name}_bucket"), &[labels, &[("le", le)]].concat());
                put(name, bucket, &Shape::Counter(growth));
            }
            put(name, data::labels(&format!("{name}_sum"), labels), &Shape::Counter(1.0));
            put(name, data::labels(&format!("{name}_count"), labels), &Shape::Counter(4.0));
        }
        _ => put(name, data::labels(name, labels), &Shape::Gauge(3.0)),
    }
}
