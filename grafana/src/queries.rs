//! What is asked of Prometheus: every query of every dashboard, by name. The dashboards say only where the answer stands.
//!
//! `$service`, `$topic` and `$group` are the reader's choices; `$__rate_interval` is Grafana's window, at least four scrapes.

pub mod events;
pub mod flows;
pub mod runtime;
pub mod service;
pub mod telemetry;

/// When each process began: the value is the time, in milliseconds.
pub const STARTED: &str = "process_start_time_seconds{service=~\".+\"} * 1000";

/// Since when each alert fires: the value is the time, in milliseconds.
pub const FIRING: &str =
    "ALERTS_FOR_STATE * 1000 and ignoring (alertstate) ALERTS{alertstate=\"firing\"}";

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
    format!("label_replace({query}, \"{to}\", \"{prefix}$1\", \"{from}\", \"(.*)\")")
}

/// A line at zero where nothing else is said, called `none`.
pub(crate) fn none(label: &str) -> String {
    format!("label_replace(vector(0), \"{label}\", \"none\", \"\", \"\")")
}

/// Alerts that fire now; 0 where none does.
pub fn firing_count() -> String {
    "count(ALERTS{alertstate=\"firing\"}) or vector(0)".into()
}

/// Alerts that fire, or will if it goes on.
pub fn alerts() -> String {
    "ALERTS{alertstate=~\"firing|pending\"}".into()
}

/// Services that answer.
pub fn services_up() -> String {
    "count(count by (service) (mesh_build_info))".into()
}

/// What is left of each error budget.
pub fn budget() -> String {
    "slo:budget_remaining:ratio".into()
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
