//! No panel is empty: every query of every dashboard and rule is sent to a real Prometheus, after a minute in which orders
//! end in every way and faults occur.

use std::{
    collections::BTreeSet,
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use harness::{Mesh, until};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};
use serde_json::Value;

use crate::{
    metrics::until_all_up,
    stack::{Stack, list, root, text},
};

/// Variables that Grafana itself replaces, and values for them.
const BUILT_IN: [(&str, &str); 2] = [("$__rate_interval", "30s"), ("$__range", "5m")];

/// Series that exist only after faults that a minute does not cause: a query with one of them must be valid, but may have an
/// empty result.
const ONLY_IN_TROUBLE: [&str; 2] =
    ["slo:budget_spent:timestamp_seconds", "alertstate=\"firing\", severity=\"page\""];

fn only_in_trouble(query: &str) -> bool {
    ONLY_IN_TROUBLE.iter().any(|series| query.contains(series))
}

/// One query of one panel.
#[derive(Debug)]
struct Question {
    place: String,
    query: String,
}

/// Every dashboard, as Grafana reads it.
fn dashboards() -> Vec<Value> {
    let folder = fs::read_dir(root().join("grafana/dashboards")).expect("the dashboards");
    let texts = folder.map(|file| fs::read_to_string(file.expect("a file").path()));
    texts.map(|text| serde_json::from_str(&text.expect("a text")).expect("JSON")).collect()
}

/// The variables of a dashboard. Other variables stay in a query as they are, so that it finds nothing.
fn variables(dashboard: &Value) -> Vec<&str> {
    list(dashboard, "/templating/list").iter().map(|variable| text(variable, "/name")).collect()
}

/// All queries of the dashboards to Prometheus.
fn questions() -> Vec<Question> {
    let mut found = Vec::new();
    for dashboard in dashboards() {
        let title = text(&dashboard, "/title");
        for panel in list(&dashboard, "/panels") {
            let place = format!("{title}, {}", text(panel, "/title"));
            for target in list(panel, "/targets") {
                if text(target, "/datasource/type") == "prometheus" {
                    ask(&mut found, &variables(&dashboard), &place, text(target, "/expr"));
                }
            }
        }
        for mark in list(&dashboard, "/annotations/list") {
            if text(mark, "/datasource/type") == "prometheus" {
                let place = format!("{title}, {}", text(mark, "/name"));
                ask(&mut found, &variables(&dashboard), &place, text(mark, "/expr"));
            }
        }
    }
    found
}

/// Adds the query with values for its variables; one for each service where the reader chooses one.
fn ask(found: &mut Vec<Question>, variables: &[&str], place: &str, query: &str) {
    let mut query = query.to_owned();
    for (name, value) in BUILT_IN {
        query = query.replace(name, value);
    }
    for variable in variables.iter().filter(|variable| **variable != "service") {
        query = query.replace(&format!("${variable}"), ".+");
    }
    let services = match (variables.contains(&"service"), place) {
        // Every choice of `$service`, one after the other.
        (true, place) if place.starts_with("Mesh / Service") => registry::of_the_mesh().collect(),
        (true, _) => vec![".+"],
        (false, _) => vec!["$service"],
    };
    for service in services {
        let query = query.replace("$service", service);
        found.push(Question { place: format!("{place} ({service})"), query });
    }
}

/// Whether the last five minutes hold a number that can be drawn.
async fn answered(stack: &Stack, query: &str) -> Result<bool, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let url = format!("{}/api/v1/query_range", stack.address("PROMETHEUS"));
    let (start, end) = ((now - 300).to_string(), now.to_string());
    let form = [("query", query), ("start", &start), ("end", &end), ("step", "5")];
    let response = reqwest::Client::new().post(url).form(&form).send().await;
    let answer: Value = response
        .map_err(|error| error.to_string())?
        .json()
        .await
        .map_err(|error| error.to_string())?;
    if text(&answer, "/status") != "success" {
        return Err(text(&answer, "/error").to_owned());
    }
    let values = list(&answer, "/data/result").iter().flat_map(|series| list(series, "/values"));
    Ok(values.into_iter().any(|value| text(value, "/1") != "NaN"))
}

/// Sends a record that no consumer can decode to every topic.
fn poison(brokers: &str) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a producer");
    let headers = rdkafka::message::OwnedHeaders::new()
        .insert(rdkafka::message::Header { key: "ce_id", value: Some("poison") })
        .insert(rdkafka::message::Header {
            key: "ce_type",
            value: Some("mesh.orders.v1.OrderPaid"),
        });
    for topic in ["orders.events", "payments.events", "shipments.events", "inventory.events"] {
        let record =
            BaseRecord::to(topic).key("poison").payload(b"\xff\xff\xff").headers(headers.clone());
        producer.send(record).map_err(|(error, _)| error).expect("it is queued");
    }
    producer.flush(harness::PATIENCE).expect("it is sent");
}

/// One minute of orders that end in every way, a record that no consumer can decode, and a service that dies.
async fn everything_happens(mesh: &Mesh) {
    const MIX: &str = "tok_ok=80,tok_declined=8,tok_slow=4,tok_flaky=6,tok_down=2";
    let load = mesh.run(&["load", "--rate", "20", "--duration", "60s", "--mix", MIX]);
    let trouble = async {
        poison(&mesh.brokers());
        mesh.gateway().order(9, "samovar", "tok_ok").await;
        mesh.kill("payments").await;
    };
    let (load, ()) = tokio::join!(load, trouble);
    assert!(load.status.success(), "{}", String::from_utf8_lossy(&load.stdout));
}

/// All queries with an empty result or an error, each with its panel.
async fn silent(stack: &Stack, questions: &[Question]) -> BTreeSet<String> {
    let mut silent = BTreeSet::new();
    for Question { place, query } in questions {
        match answered(stack, query).await {
            Ok(true) => {}
            Ok(false) if only_in_trouble(query) => {}
            Ok(false) => {
                silent.insert(format!("{place}: {query}"));
            }
            Err(error) => {
                silent.insert(format!("{place}: {error}: {query}"));
            }
        }
    }
    silent
}

#[tokio::test]
#[ignore = "needs Prometheus, Collector, Jaeger and Alertmanager: .ci/run has them"]
async fn no_panel_is_empty_and_no_rule_fails() {
    let stack = Stack::running();
    let mesh = stack.mesh().start().await;
    stack.scrape(&mesh).await;
    until_all_up(&stack).await;
    everything_happens(&mesh).await;

    let questions = questions();
    assert!(questions.len() > 150, "only {} questions were found", questions.len());
    let silent = silent(&stack, &questions).await;
    let list: Vec<_> = silent.into_iter().collect();
    assert!(list.is_empty(), "{} have no answer:\n  {}", list.len(), list.join("\n  "));
    traces_are_found(&stack).await;
    rules_work(&stack).await;
}

/// Jaeger has a result for each search of the dashboards: it knows the services and operations by these names.
async fn traces_are_found(stack: &Stack) {
    let mut asked = BTreeSet::new();
    for dashboard in dashboards() {
        for target in list(&dashboard, "/panels").iter().flat_map(|panel| list(panel, "/targets")) {
            if text(target, "/queryType") == "search" {
                let service = text(target, "/service").replace("$service", "orders");
                let (operation, longer) =
                    (text(target, "/operation"), text(target, "/minDuration"));
                let operation = operation.replace('/', "%2F").replace(' ', "%20");
                asked.insert(format!(
                    "service={service}&operation={operation}&minDuration={longer}"
                ));
            }
        }
    }
    assert!(!asked.is_empty(), "no dashboard shows a trace");
    for query in asked {
        let path = format!("/api/traces?{}&limit=1", query.replace("&operation=&", "&"));
        until(&format!("traces in Jaeger: {path}"), || async {
            let answer = stack.get("JAEGER", &path).await?;
            (!list(&answer, "/data").is_empty()).then_some(())
        })
        .await;
    }
}

/// Every rule is evaluated without an error, and every recorded series exists.
async fn rules_work(stack: &Stack) {
    let rules = until("all rules to be evaluated", || async {
        let answer = stack.get("PROMETHEUS", "/api/v1/rules").await?;
        let groups = list(&answer, "/data/groups").iter();
        let rules: Vec<_> = groups.flat_map(|group| list(group, "/rules").to_vec()).collect();
        rules.iter().all(|rule| text(rule, "/health") != "unknown").then_some(rules)
    })
    .await;
    assert!(!rules.is_empty(), "no rules are loaded");
    for rule in rules {
        assert_eq!(text(&rule, "/health"), "ok", "{rule:#}");
        if text(&rule, "/type") == "recording" {
            let name = text(&rule, "/name");
            if only_in_trouble(name) {
                continue;
            }
            assert_eq!(answered(stack, name).await, Ok(true), "{name} is never recorded");
        }
    }
}
