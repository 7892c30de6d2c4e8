//! Whether what the other dashboards show can be believed.

use super::rate;

/// Spans by what became of them.
pub fn spans() -> String {
    rate("mesh_spans_total", "state")
}

/// Spans that were dropped, by service.
pub fn spans_dropped() -> String {
    super::largest_or_none(&rate("mesh_spans_total{state=\"dropped\"}", "service"), "service")
}

/// Log records by what became of them.
pub fn log_records() -> String {
    rate("mesh_log_records_total", "state")
}

/// Log lines by service.
pub fn log_lines() -> String {
    rate("mesh_log_lines_total", "service, level")
}

/// The share of started spans that were exported, in the time shown.
pub fn exported_share() -> String {
    "sum(increase(mesh_spans_total{state=\"exported\"}[$__range])) / sum(increase(mesh_spans_total{state=\"started\"}[$__range]))".into()
}

/// What the collector takes in.
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

/// What the collector hands on.
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

/// What the collector could not take or hand on. Zero where nothing was lost.
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

/// Whether each target answers.
pub fn up() -> String {
    "min by (job) (up)".into()
}

/// How long scrapes take.
pub fn scrape_duration() -> String {
    "max by (job) (scrape_duration_seconds)".into()
}

/// Samples a scrape, which is how many series a process has.
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

/// How long rules take.
pub fn rules_duration() -> String {
    // The group's name has the path of its file before it.
    "label_replace(max by (rule_group) (prometheus_rule_group_last_duration_seconds), \"rule_group\", \"$1\", \"rule_group\", \".*;(.*)\")".into()
}

/// Rules that could not be evaluated, in the time shown.
pub fn rules_failed() -> String {
    "sum(increase(prometheus_rule_evaluation_failures_total[$__range]))".into()
}

/// Resident memory of what watches the mesh.
pub fn memory_of_parts() -> String {
    super::any(&[
        "sum by (job) (process_resident_memory_bytes{service=\"\"})".into(),
        "sum by (job) (otelcol_process_memory_rss_bytes)".into(),
    ])
}

/// Cores in use by what watches the mesh.
pub fn cpu_of_parts() -> String {
    super::any(&[
        rate("process_cpu_seconds_total{service=\"\"}", "job"),
        rate("otelcol_process_cpu_seconds_total", "job"),
    ])
}

/// What lens is sent, and what it does not keep.
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

/// How full the memory of lens is.
pub fn lens_memory() -> String {
    "max(mesh_lens_memory_bytes / mesh_lens_memory_limit_bytes)".into()
}

/// How many traces and log lines lens remembers.
pub fn lens_remembers(what: &str) -> String {
    format!("max(mesh_lens_{what})")
}
