//! Lens' own metrics.

chassis::metrics! {
    /// What came in, what is there, what had to go.
    pub(crate) struct Metrics in "mesh_lens" {
        /// Spans that were sent here.
        spans_received_total: IntCounter,
        /// Spans that were not kept: `invalid` ones have no id, those of a `large_trace` come after its share of the memory.
        spans_refused_total: IntCounterVec["reason"] = [["invalid"], ["large_trace"]],
        /// Spans of traces that had to make room for newer ones.
        spans_evicted_total: IntCounter,
        /// Traces that are remembered.
        traces: IntGauge,
        /// Log lines that were sent here.
        log_lines_received_total: IntCounter,
        /// Log lines that had to make room for newer ones.
        log_lines_evicted_total: IntCounter,
        /// Log lines that are remembered.
        log_lines: IntGauge,
        /// Bytes that all that is remembered takes.
        memory_bytes: IntGauge,
        /// Bytes that it may take: the setting `memory`.
        memory_limit_bytes: IntGauge,
    }
}
