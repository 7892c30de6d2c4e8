//! What is asked of Prometheus: every query of every dashboard, by name. The dashboards say only where the answer stands.
//!
//! `$service`, `$topic` and `$group` are the reader's choices; `$__rate_interval` is Grafana's window, at least four scrapes.

pub mod events;
pub mod flows;
pub mod runtime;
pub mod service;
pub mod telemetry;

/// When each service began last: the value is the time, in milliseconds. One mark a service and a minute: after an incident that starts all
/// of them again, and again, the marks are those of one moment.
pub const STARTED: &str =
    "max by (service) (floor(process_start_time_seconds{service=~\".+\"} / 60)) * 60000";

/// Pages, while they fire: one region for each alert, however many series it has.
pub const FIRING: &str = "max by (alertname) (ALERTS{alertstate=\"firing\", severity=\"page\"})";

/// Where a click on a service leads.
pub const SERVICE_LINK: &str =
    "/d/mesh-service?var-service=${__field.labels.service}&${__url_time_range}";

/// The names of all services that run or ran. Not lens, which is a backend: the dashboard Telemetry has its numbers.
pub fn services() -> String {
    "label_values(mesh_build_info{service!=\"lens\"}, service)".into()
}

/// The names of all topics that somebody reads.
pub fn topics() -> String {
    "label_values(mesh_consumer_lag, topic)".into()
}

/// The names of all consumer groups.
pub fn groups() -> String {
    "label_values(mesh_consumer_lag, group)".into()
}

/// How often a counter counts, by labels.
pub(crate) fn rate(counter: &str, by: &str) -> String {
    format!("sum by ({by}) (rate({counter}[$__rate_interval]))")
}

/// How much a counter counted in all that is shown, by labels.
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

/// Several questions whose answers have one label in common, told apart by what the label says.
pub(crate) fn any(questions: &[String]) -> String {
    questions.join("\nor\n")
}

/// The same series, with the value of one label under another name.
pub(crate) fn renamed(query: &str, to: &str, prefix: &str, from: &str) -> String {
    // A method without its package: `Orders/Place` of `mesh.orders.v1.Orders/Place`.
    let value = if from == "rpc_method" { "(?:.*[.])?(.*)" } else { "(.*)" };
    format!("label_replace({query}, \"{to}\", \"{prefix}$1\", \"{from}\", \"{value}\")")
}

/// A line at zero, called `none`.
fn none(label: &str) -> String {
    format!("label_replace(vector(0), \"{label}\", \"none\", \"\", \"\")")
}

/// The series that matter: the ten largest in all that is shown, and none that is zero. They are the same ten at each step: the ten
/// largest of every moment would be dozens of lines with holes.
pub(crate) fn largest(query: &str) -> String {
    let in_all = query.replace("[$__rate_interval]", "[$__range] @ end()");
    format!("({query})\nand topk(10, ({in_all}) > 0)")
}

/// The same of what does not happen in health: a line at zero, called `none`, where nothing did.
pub(crate) fn largest_or_none(query: &str, label: &str) -> String {
    format!("{}\nor on () {}", largest(query), none(label))
}

/// Alerts of a severity that fire now; 0 where none does.
pub fn firing_count(severity: &str) -> String {
    format!("count(ALERTS{{alertstate=\"firing\", severity=\"{severity}\"}}) or vector(0)")
}

/// Alerts that fire, or will if it goes on, each with where it leads.
pub fn alerts() -> String {
    "ALERTS{alertstate=~\"firing|pending\", severity!=\"none\"}\n  * on (alertname) group_left (runbook, dashboard) alert:runbook:info".into()
}

/// Services that answer.
pub fn services_up() -> String {
    "sum(service:up:max)".into()
}

/// Services that do not.
pub fn services_away() -> String {
    // One for each, so that none at all is less.
    format!("1 - (service:up:max == 0)\nor on () {}", none("service"))
}

/// Whether each service answers.
pub fn up() -> String {
    "service:up:max".into()
}

/// One number a service, for a table.
pub fn each_service(number: &str) -> String {
    format!("sum by (service) ({number})")
}

/// One number a promise, for a table.
pub fn each_promise(number: &str) -> String {
    format!("sum by (slo) ({number})")
}

/// What is left of each error budget, not less than nothing.
pub fn budget() -> String {
    each_promise("clamp_min(slo:budget_remaining:ratio, 0)")
}

/// Since when a budget that is used up is so, in milliseconds.
pub fn spent_since() -> String {
    each_promise("slo:budget_spent:timestamp_seconds * 1000")
}

/// How much of the last 30 days the numbers cover.
pub fn known() -> String {
    each_promise("slo:window:seconds")
}

/// Starts of each service's processes, in the time shown.
pub fn restarts() -> String {
    each_service("changes(process_start_time_seconds{service!=\"\"}[$__range])")
}

/// The share of its limit that the memory of each service's fullest process is.
pub fn memory_of_limit() -> String {
    "max by (service) (mesh_memory_used_bytes / mesh_memory_limit_bytes)".into()
}

/// The resident memory of each service's largest process.
pub fn memory() -> String {
    "max by (service) (process_resident_memory_bytes{service!=\"\"})".into()
}

/// Records that each service has not handled.
pub fn lag() -> String {
    each_service("mesh_consumer_lag")
}

/// How much faster than allowed each budget is used up.
pub fn burn(window: &str) -> String {
    format!("slo:bad:ratio_rate{window} / on (slo) group_left () (1 - slo:objective:ratio)")
}

/// The share that was as promised.
pub fn kept(window: &str) -> String {
    format!("1 - slo:bad:ratio_rate{window}")
}

/// What was promised.
pub fn objective() -> String {
    "slo:objective:ratio".into()
}

/// Requests, calls and events that a service handled each second.
pub fn requests_by_service() -> String {
    "service:requests:rate1m".into()
}

/// The share of them that went wrong.
pub fn errors_by_service() -> String {
    "service:error_ratio:rate1m".into()
}

/// What one in a hundred of them took longer than.
pub fn latency_by_service() -> String {
    "service:latency:p99_1m".into()
}
