//! Evaluates Prometheus' rule files over any storage that [`promql`] can query: recording rules, and alerts from pending to
//! firing to resolved.
