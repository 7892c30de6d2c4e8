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
