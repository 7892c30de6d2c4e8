//! Lens' own metrics.

chassis::metrics! {
    /// What came in, what is there, what had to go.
    pub(crate) struct Metrics in "mesh_lens" {
        /// Spans that were received.
        spans_received_total: IntCounter,
        /// Spans that were not kept: `invalid` ones have no id, those of a `large_trace` come after its share of the memory.
        spans_refused_total: IntCounterVec["reason"] = [["invalid"], ["large_trace"]],
        /// Spans of traces that were evicted to make room for newer ones.
        spans_evicted_total: IntCounter,
        /// Traces that are kept.
        traces: IntGauge,
        /// Log lines that were received.
        log_lines_received_total: IntCounter,
        /// Log lines that were evicted to make room for newer ones.
        log_lines_evicted_total: IntCounter,
        /// Log lines that are kept.
        log_lines: IntGauge,
        /// Bytes used by all kept traces and log lines.
        memory_bytes: IntGauge,
        /// Maximum of these bytes: the setting `memory`.
        memory_limit_bytes: IntGauge,
    }
}

chassis::metrics! {
    /// What lens keeps of the services' metrics.
    pub(crate) struct SeriesMetrics in "mesh_lens" {
        /// Series of metrics that have a sample within the retention.
        series: IntGauge,
        /// Samples that are kept.
        samples: IntGauge,
        /// Exemplars that are kept.
        exemplars: IntGauge,
        /// Bytes used by samples, labels and exemplars.
        series_memory_bytes: IntGauge,
        /// Maximum of these bytes: the setting `metrics.memory`.
        series_memory_limit_bytes: IntGauge,
        /// Samples that were removed before their time to make room for newer ones.
        samples_evicted_total: IntCounter,
        /// Samples that were not kept: the `limit` of bytes, series or labels is reached; a `duplicate` has the series of another one
        /// of the same answer; a `timestamp` is not that of its answer. A whole answer counts as one if it is `malformed` or out of
        /// `order`. An `exemplar` is too long or older than the last one.
        samples_refused_total: IntCounterVec["reason"] = [
            ["limit"], ["duplicate"], ["timestamp"], ["malformed"], ["order"], ["exemplar"],
        ],
    }
}

impl SeriesMetrics {
    /// Shows what the store uses.
    pub(crate) fn set(&self, usage: &timeseries::Usage) {
        self.series.set(usage.series as i64);
        self.samples.set(usage.samples as i64);
        self.exemplars.set(usage.exemplars as i64);
        self.series_memory_bytes.set(usage.bytes as i64);
        self.series_memory_limit_bytes.set(usage.limit as i64);
        let evicted = &self.samples_evicted_total;
        evicted.inc_by(usage.evicted.saturating_sub(evicted.get()));
        let refused = usage.refused;
        for (reason, count) in [
            ("limit", refused.limit),
            ("duplicate", refused.duplicate),
            ("timestamp", refused.timestamp),
            ("malformed", refused.malformed),
            ("order", refused.order),
            ("exemplar", refused.exemplars),
        ] {
            let counter = self.samples_refused_total.with_label_values(&[reason]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }
}

chassis::metrics! {
    /// The evaluation of rules.
    pub(crate) struct RuleMetrics in "mesh_lens" {
        /// Evaluations of rules.
        rule_evaluations_total: IntCounterVec["rule_group"],
        /// Evaluations of rules that failed: alerts and recorded series may be missing.
        rule_evaluation_failures_total: IntCounterVec["rule_group"],
        /// Seconds of the evaluation of a group.
        rule_group_duration_seconds: Histogram,
        /// Alerts that are pending or firing.
        alerts: IntGaugeVec["state"],
    }
}
