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

/// The reasons why the gateway refuses a request with telemetry of a browser.
pub(crate) const BROWSER_REFUSALS: [&str; 4] = ["invalid", "not_json", "too_large", "too_often"];

/// What may be wrong with a span or log record of a browser.
pub(crate) const BROWSER_MISTAKES: [&str; 6] =
    ["attributes", "id", "name", "parts", "time", "unreadable"];

/// Why WebSockets end.
pub(crate) const ENDINGS: [&str; 8] =
    ["client", "dead", "draining", "idle", "overloaded", "protocol", "slow_consumer", "unruly"];

/// The reasons why a message of a WebSocket's client is refused.
pub(crate) const MESSAGE_REFUSALS: [&str; 7] =
    ["duplicate", "failed", "invalid", "malformed", "rate", "subscriptions", "unknown"];

/// Why updates may be missing on a WebSocket.
pub(crate) const GAPS: [&str; 3] = ["lapse", "other_process", "too_old"];

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
        /// Requests with telemetry of browsers that were refused as a whole, by reason.
        browser_requests_refused_total: IntCounterVec["reason"] = BROWSER_REFUSALS.map(|reason| [reason]),
        /// Spans and log records of browsers that were refused, by what was wrong with them.
        browser_records_refused_total: IntCounterVec["signal", "reason"] = ["spans", "log_records"].into_iter().flat_map(|signal| BROWSER_MISTAKES.map(|reason| [signal, reason])),
        /// Open WebSockets.
        websocket_connections: IntGauge,
        /// WebSockets that ended, by reason: `slow_consumer` ones did not read fast enough, `dead` ones answered no pings.
        websocket_closed_total: IntCounterVec["reason"] = ENDINGS.map(|reason| [reason]),
        /// Messages that were sent on WebSockets.
        websocket_messages_sent_total: IntCounter,
        /// Updates that were sent on WebSockets; a message may have several.
        websocket_updates_sent_total: IntCounter,
        /// Messages of clients that were refused, by reason.
        websocket_refused_total: IntCounterVec["reason"] = MESSAGE_REFUSALS.map(|reason| [reason]),
        /// `gap` messages on WebSockets, which say that updates may be missing, by reason.
        websocket_gaps_total: IntCounterVec["reason"] = GAPS.map(|reason| [reason]),
    }
}
