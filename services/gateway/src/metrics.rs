//! The business numbers of `gateway`.

/// The reasons why the gateway refuses an order.
pub(crate) const REFUSALS: [&str; 8] = [
    "conflict",
    "deadline_exceeded",
    "exhausted",
    "idempotency_key_reused",
    "internal",
    "invalid",
    "out_of_stock",
    "unavailable",
];

chassis::metrics! {
    /// The business numbers of `gateway`.
    pub(crate) struct Metrics in "mesh_gateway" {
        /// Orders that were accepted; one sent again counts again.
        orders_accepted_total: IntCounter,
        /// Orders that were refused, by reason.
        orders_refused_total: IntCounterVec["reason"] = REFUSALS.map(|reason| [reason]),
        /// Products shown without their available stock, because inventory did not answer.
        products_without_stock_total: IntCounter,
        /// Open live streams.
        live_streams: IntGauge,
        /// Live messages that were dropped because they break limits or are of another order.
        live_malformed_total: IntCounter,
        /// Live streams that were refused because the maximum number was open.
        live_streams_refused_total: IntCounter,
        /// How often a live stream read the order again, by reason: a message was missing, or none came for a while.
        live_rereads_total: IntCounterVec["reason"] = [["gap"], ["lapse"], ["silence"]],
    }
}
