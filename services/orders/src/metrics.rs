//! The business numbers of `orders`.

chassis::metrics! {
    /// The business numbers of `orders`.
    pub(crate) struct Metrics in "mesh" {
        /// Orders that were placed.
        orders_placed_total: IntCounter,
        /// Orders that were refused, by reason.
        orders_refused_total: IntCounterVec["reason"],
        /// Orders that took a status.
        orders_status_total: IntCounterVec["status"],
        /// Orders that were cancelled, by reason.
        orders_cancelled_total: IntCounterVec["reason"],
        /// Seconds from placing an order to its end.
        flow_duration_seconds: HistogramVec["outcome"],
    }
}
