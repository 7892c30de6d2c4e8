//! Every query to Prometheus that a dashboard makes, by name. The dashboards only say where the result is shown.
//!
//! `$service`, `$topic` and `$group` are the reader's choices; `$__rate_interval` is Grafana's window, at least four scrapes.

pub mod events;
pub mod flows;
pub mod runtime;
pub mod service;
pub mod telemetry;

/// When each service last started: the value is the time, in milliseconds. It is rounded to one mark for each service and
/// minute, so that the repeated starts of an incident share one mark.
pub const STARTED: &str =
    "max by (service) (floor(process_start_time_seconds{service=~\".+\"} / 60)) * 60000";

/// Pages while they fire: one region for each alert, however many series it has.
pub const FIRING: &str = "max by (alertname) (ALERTS{alertstate=\"firing\", severity=\"page\"})";

/// The link of a series or cell to the dashboard of its service.
pub const SERVICE_LINK: &str =
    "/d/mesh-service?var-service=${__field.labels.service}&${__url_time_range}";

/// The names of all services that run or ran. Without lens, which is a backend: the dashboard Telemetry has its numbers.
pub fn services() -> String {
    "label_values(mesh_build_info{service!=\"lens\"}, service)".into()
}

/// The names of all topics that have a consumer.
pub fn topics() -> String {
    "label_values(mesh_consumer_lag, topic)".into()
}

/// The names of all consumer groups.
pub fn groups() -> String {
    "label_values(mesh_consumer_lag, group)".into()
}

/// Increase of a counter per second, by labels.
pub(crate) fn rate(counter: &str, by: &str) -> String {
    format!("sum by ({by}) (rate({counter}[$__rate_interval]))")
}

/// Increase of a counter in the time range shown, by labels.
pub(crate) fn increase(counter: &str, by: &str) -> String {
    format!("sum by ({by}) (increase({counter}[$__range]))")
}

/// A quantile of a histogram, by labels. `histogram` may have a selector.
pub(crate) fn quantile(share: f64, histogram: &str, by: &str) -> String {
    let (name, selector) = histogram.split_once('{').unwrap_or((histogram, "}"));
    let by = if by.is_empty() { "le".to_owned() } else { format!("le, {by}") };
    format!(
        "histogram_quantile({share}, sum by ({by}) (rate({name}_bucket{{{selector}[$__rate_interval])))"
    )
}

/// The buckets of a histogram over time.
pub(crate) fn buckets(histogram: &str) -> String {
    let (name, selector) = histogram.split_once('{').unwrap_or((histogram, "}"));
    format!("sum by (le) (rate({name}_bucket{{{selector}[$__rate_interval]))")
}

/// Joins queries whose results share one label; its values distinguish them.
pub(crate) fn any(questions: &[String]) -> String {
    questions.join("\nor\n")
}

/// The same series, with the value of the label `from` copied to the label `to`.
pub(crate) fn renamed(query: &str, to: &str, prefix: &str, from: &str) -> String {
    // A method without its package: `Orders/Place` of `mesh.orders.v1.Orders/Place`.
    let value = if from == "rpc_method" { "(?:.*[.])?(.*)" } else { "(.*)" };
    format!("label_replace({query}, \"{to}\", \"{prefix}$1\", \"{from}\", \"{value}\")")
}

/// A line at zero, named `none`.
fn none(label: &str) -> String {
    format!("label_replace(vector(0), \"{label}\", \"none\", \"\", \"\")")
}

/// The ten largest series of the whole time range shown, without those that are zero. They are the same ten at each step: the
/// ten largest of each moment would be dozens of lines with holes.
pub(crate) fn largest(query: &str) -> String {
    let in_all = query.replace("[$__rate_interval]", "[$__range] @ end()");
    format!("({query})\nand topk(10, ({in_all}) > 0)")
}

/// Like [`largest`], for events that a healthy mesh does not have: a line at zero, named `none`, where there were none.
pub(crate) fn largest_or_none(query: &str, label: &str) -> String {
    format!("{}\nor on () {}", largest(query), none(label))
}

/// The number of alerts of a severity that fire now; 0 without any.
pub fn firing_count(severity: &str) -> String {
    format!("count(ALERTS{{alertstate=\"firing\", severity=\"{severity}\"}}) or vector(0)")
}

/// Alerts that fire or are pending, each with its runbook and its dashboard.
pub fn alerts() -> String {
    "ALERTS{alertstate=~\"firing|pending\", severity!=\"none\"}\n  * on (alertname) group_left (runbook, dashboard) alert:runbook:info".into()
}

/// The number of services that are up.
pub fn services_up() -> String {
    "sum(service:up:max)".into()
}

/// The services that are down.
pub fn services_away() -> String {
    // The value is 1 for each, so that `none` is below it.
    format!("1 - (service:up:max == 0)\nor on () {}", none("service"))
}

/// Whether each service is up.
pub fn up() -> String {
    "service:up:max".into()
}

/// One number for each service, for a table.
pub fn each_service(number: &str) -> String {
    format!("sum by (service) ({number})")
}

/// One number for each objective, for a table.
pub fn each_promise(number: &str) -> String {
    format!("sum by (slo) ({number})")
}

/// The rest of each error budget, at least 0.
pub fn budget() -> String {
    each_promise("clamp_min(slo:budget_remaining:ratio, 0)")
}

/// When a budget that is used up first became so, in milliseconds.
pub fn spent_since() -> String {
    each_promise("slo:budget_spent:timestamp_seconds * 1000")
}

/// How many seconds of the last 30 days the numbers cover.
pub fn known() -> String {
    each_promise("slo:window:seconds")
}

/// Starts of each service's processes, in the time range shown.
pub fn restarts() -> String {
    each_service("changes(process_start_time_seconds{service!=\"\"}[$__range])")
}

/// The used share of the memory limit, of each service's fullest process.
pub fn memory_of_limit() -> String {
    "max by (service) (mesh_memory_used_bytes / mesh_memory_limit_bytes)".into()
}

/// The resident memory of each service's largest process.
pub fn memory() -> String {
    "max by (service) (process_resident_memory_bytes{service!=\"\"})".into()
}

/// Records that each service has not handled yet.
pub fn lag() -> String {
    each_service("mesh_consumer_lag")
}

/// How many times faster than allowed each budget is used up.
pub fn burn(window: &str) -> String {
    format!("slo:bad:ratio_rate{window} / on (slo) group_left () (1 - slo:objective:ratio)")
}

/// The share of good events, by objective.
pub fn kept(window: &str) -> String {
    format!("1 - slo:bad:ratio_rate{window}")
}

/// The objective: the share of events that must be good.
pub fn objective() -> String {
    "slo:objective:ratio".into()
}

/// Requests, calls and events that a service handled per second.
pub fn requests_by_service() -> String {
    "service:requests:rate1m".into()
}

/// The share of them that failed.
pub fn errors_by_service() -> String {
    "service:error_ratio:rate1m".into()
}

/// The 99th percentile of their duration.
pub fn latency_by_service() -> String {
    "service:latency:p99_1m".into()
}
