//! The series that rules read exist from the start: `increase` does not show the first event of a series that begins with it.

use grafana::{
    rule_files::recording,
    rules::{Group, Rule},
};
use harness::{Options, Sample, Samples, until};
use promql_parser::{
    parser::{Expr, VectorSelector, parse},
    util::{ExprVisitor, walk_expr},
};

/// A metric that a service cannot have: lens has no dependency that could be unavailable.
const NEEDS_NONE: [(&str, &str); 1] = [("lens", "mesh_degraded")];

/// The selectors of an expression.
#[derive(Default)]
struct Selectors(Vec<VectorSelector>);

impl ExprVisitor for Selectors {
    type Error = ();

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, ()> {
        match expr {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(selector) => self.0.push(selector.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

/// The selectors of objectives and alerts. The other recorded series are for panels.
fn read() -> Vec<(String, VectorSelector)> {
    let objectives = recording().into_iter().filter(|group| group.name.starts_with("slo"));
    let groups: Vec<Group> = objectives.chain(grafana::alerts::groups()).collect();
    let mut read = Vec::new();
    for rule in groups.into_iter().flat_map(|group| group.rules) {
        let (name, expr) = match rule {
            Rule::Recording(rule) => (rule.record, rule.expr),
            Rule::Alerting(rule) => (rule.alert.to_owned(), rule.expr),
        };
        let mut selectors = Selectors::default();
        walk_expr(&mut selectors, &parse(&expr).expect("PromQL")).expect("it is walked");
        read.extend(selectors.0.into_iter().map(|selector| (name.clone(), selector)));
    }
    read
}

/// Values as Prometheus compares them: a bucket's bound is a number, however it is written.
fn number(text: &str) -> String {
    text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| number.to_string())
}

fn selects(selector: &VectorSelector, service: &str, sample: &Sample) -> bool {
    selector.name.as_ref() == Some(&sample.name)
        && selector.matchers.matchers.iter().all(|matcher| match matcher.name.as_str() {
            "service" | "job" => matcher.is_match(service),
            "le" => sample.labels.get("le").is_some_and(|le| number(le) == number(&matcher.value)),
            label => matcher.is_match(sample.labels.get(label).map_or("", String::as_str)),
        })
}

/// Whether the selector may match this service, which has the metric.
fn concerns(selector: &VectorSelector, service: &str) -> bool {
    let mut of_target = selector.matchers.matchers.iter();
    of_target.all(|one| !["service", "job"].contains(&&*one.name) || one.is_match(service))
}

/// Every series that an objective or an alert reads exists before anything happened, on each service that has its metric;
/// `POST /api/orders` has a series for each possible status.
pub(crate) async fn every_series_of_a_rule_exists_from_the_start(options: Options) {
    let mesh = options.with_lens().start().await;
    let read = read();
    assert!(read.len() > 50, "only {} selectors were found", read.len());
    let mut missing = Vec::new();
    for service in registry::SERVICES.iter().map(|one| one.name) {
        let consumes = mesh.metrics(service).await.has("mesh_consumer_assigned_partitions");
        until(
            &format!("the lag of {service}, a gauge that is there with the first assignment"),
            || async {
                (!consumes || mesh.metrics(service).await.has("mesh_consumer_lag")).then_some(())
            },
        )
        .await;
        let declared = mesh.admin(service, "/metrics/families").await.expect("it is ready");
        let families: Vec<_> =
            declared.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let samples = mesh.metrics(service).await;
        for (rule, selector) in &read {
            let name = selector.name.as_deref().unwrap_or_default();
            let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
            let known =
                families.contains(&name) || base.is_some_and(|base| families.contains(&base));
            let there = || samples.0.iter().any(|sample| selects(selector, service, sample));
            let needs_none = NEEDS_NONE.contains(&(service, name));
            if known && !needs_none && concerns(selector, service) && !there() {
                missing.push(format!("{service}: {selector} of {rule}"));
            }
        }
        if service == "gateway" {
            missing.extend(statuses(&samples));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The statuses for which `POST /api/orders` has no series.
fn statuses(samples: &Samples) -> Vec<String> {
    let count = "http_server_request_duration_seconds_count";
    let there = |status: &str| {
        samples.0.iter().any(|sample| {
            let label = |name: &str| sample.labels.get(name).map(String::as_str);
            sample.name == count
                && label("http_request_method") == Some("POST")
                && label("http_route") == Some("/api/orders")
                && label("http_response_status_code") == Some(status)
        })
    };
    let known = ["202", "400", "409", "422", "500", "503", "504"];
    let missing = known.into_iter().filter(|status| !there(status));
    missing.map(|status| format!("gateway: orders placed and answered with {status}")).collect()
}
