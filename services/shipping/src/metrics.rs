//! The business numbers of `shipping`.

chassis::metrics! {
    /// The business numbers of `shipping`.
    pub(crate) struct Metrics in "mesh_shipping" {
        /// Shipments that came into a state.
        shipments_total: IntCounterVec["state"],
        /// Seconds from scheduling a shipment to dispatching it.
        dispatch_delay_seconds: Histogram,
        /// Shipments that wait for their timer; all replicas tell the same number.
        timers_pending: IntGauge,
    }
}
