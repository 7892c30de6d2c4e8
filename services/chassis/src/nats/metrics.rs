//! The metrics of NATS.

crate::metrics! {
    /// The connection to NATS.
    pub(crate) struct ConnectionMetrics in "mesh_nats" {
        /// Whether there is a connection to NATS.
        connected: IntGauge,
        /// Reconnections after the connection was lost.
        reconnects_total: IntCounter,
        /// Messages by direction: in, out.
        messages_total: IntCounterVec["direction"] = [["in"], ["out"]],
        /// Bytes by direction: in, out.
        bytes_total: IntCounterVec["direction"] = [["in"], ["out"]],
    }
}

crate::metrics! {
    /// The numbers of live messages.
    pub(crate) struct Metrics in "mesh_live" {
        /// Live messages that arrived and were dropped, by reason: the message could not be decoded, or the subscriber was
        /// too slow.
        dropped_total: IntCounterVec["reason"] = [["overflow"], ["undecodable"]],
    }
}
