//! Whether the data of the other dashboards can be trusted.

use super::rate;

/// Spans by outcome.
pub fn spans() -> String {
    rate("mesh_spans_total", "state")
}

/// Spans that were dropped, by service.
pub fn spans_dropped() -> String {
    super::largest_or_none(&rate("mesh_spans_total{state=\"dropped\"}", "service"), "service")
}

/// Log records by outcome.
pub fn log_records() -> String {
    rate("mesh_log_records_total", "state")
}

/// Log lines by service.
pub fn log_lines() -> String {
    rate("mesh_log_lines_total", "service, level")
}

/// The share of started spans that were exported, in the time range shown.
pub fn exported_share() -> String {
    "sum(increase(mesh_spans_total{state=\"exported\"}[$__range])) / sum(increase(mesh_spans_total{state=\"started\"}[$__range]))".into()
}

/// What the collector receives.
pub fn collector_in() -> String {
    super::any(&[
        super::renamed(
            &rate("otelcol_receiver_accepted_spans_total{job=\"otel-collector\"}", "receiver"),
            "what",
            "spans by ",
            "receiver",
        ),
        super::renamed(
            &rate(
                "otelcol_receiver_accepted_log_records_total{job=\"otel-collector\"}",
                "receiver",
            ),
            "what",
            "log records by ",
            "receiver",
        ),
    ])
}

/// What the collector exports.
pub fn collector_out() -> String {
    super::any(&[
        super::renamed(
            &rate("otelcol_exporter_sent_spans_total{job=\"otel-collector\"}", "exporter"),
            "what",
            "spans to ",
            "exporter",
        ),
        super::renamed(
            &rate("otelcol_exporter_sent_log_records_total{job=\"otel-collector\"}", "exporter"),
            "what",
            "log records to ",
            "exporter",
        ),
    ])
}

/// What the collector refused or could not export. Zero where nothing was lost.
pub fn collector_lost() -> String {
    let lost = super::any(&[
        super::renamed(
            &rate("otelcol_receiver_refused_spans_total{job=\"otel-collector\"}", "receiver"),
            "what",
            "spans refused by ",
            "receiver",
        ),
        super::renamed(
            &rate("otelcol_exporter_send_failed_spans_total{job=\"otel-collector\"}", "exporter"),
            "what",
            "spans not sent to ",
            "exporter",
        ),
        super::renamed(
            &rate(
                "otelcol_exporter_send_failed_log_records_total{job=\"otel-collector\"}",
                "exporter",
            ),
            "what",
            "log records not sent to ",
            "exporter",
        ),
    ]);
    super::largest_or_none(&lost, "what")
}

/// How full the collector's queues are.
pub fn collector_queue() -> String {
    "max by (exporter) (otelcol_exporter_queue_size{job=\"otel-collector\"} / otelcol_exporter_queue_capacity)".into()
}

/// Whether each target is up.
pub fn up() -> String {
    "min by (job) (up)".into()
}

/// How long scrapes take.
pub fn scrape_duration() -> String {
    "max by (job) (scrape_duration_seconds)".into()
}

/// Samples of a scrape: the number of series of a process.
pub fn samples() -> String {
    "sum by (job) (scrape_samples_post_metric_relabeling)".into()
}

/// Series in Prometheus' memory.
pub fn series() -> String {
    "sum(prometheus_tsdb_head_series)".into()
}

/// The metrics with the most series.
pub fn largest() -> String {
    "topk(10, count by (__name__) ({job=~\".+\"}))".into()
}

/// How long the evaluation of rules takes.
pub fn rules_duration() -> String {
    // Prometheus puts the path of the file before the group's name.
    "label_replace(max by (rule_group) (prometheus_rule_group_last_duration_seconds), \"rule_group\", \"$1\", \"rule_group\", \".*;(.*)\")".into()
}

/// Rule evaluations that failed, in the time range shown.
pub fn rules_failed() -> String {
    "sum(increase(prometheus_rule_evaluation_failures_total[$__range]))".into()
}

/// Resident memory of the observability parts.
pub fn memory_of_parts() -> String {
    super::any(&[
        "sum by (job) (process_resident_memory_bytes{service=\"\"})".into(),
        "sum by (job) (otelcol_process_memory_rss_bytes)".into(),
    ])
}

/// Cores used by the observability parts.
pub fn cpu_of_parts() -> String {
    super::any(&[
        rate("process_cpu_seconds_total{service=\"\"}", "job"),
        rate("otelcol_process_cpu_seconds_total", "job"),
    ])
}

/// Spans that lens receives, and spans that it does not keep.
pub fn lens_spans() -> String {
    let kind = |counter: &str, what: &str| {
        super::renamed(&format!("sum(rate({counter}[$__rate_interval]))"), "what", what, "")
    };
    super::any(&[
        kind("mesh_lens_spans_received_total", "received"),
        kind("mesh_lens_spans_evicted_total", "made room for newer ones"),
        kind("mesh_lens_spans_refused_total", "refused"),
    ])
}

/// The used share of the memory of lens.
pub fn lens_memory() -> String {
    "max(mesh_lens_memory_bytes / mesh_lens_memory_limit_bytes)".into()
}

/// How many traces and log lines lens keeps.
pub fn lens_remembers(what: &str) -> String {
    format!("max(mesh_lens_{what})")
}
