//! The business numbers of `orders`.

use crate::{
    domain::{Reason, Status},
    error::REFUSALS,
};

chassis::metrics! {
    /// The business numbers of `orders`.
    pub(crate) struct Metrics in "mesh" {
        /// Orders that were placed.
        orders_placed_total: IntCounter,
        /// Orders that were refused, by reason.
        orders_refused_total: IntCounterVec["reason"] = REFUSALS.map(|reason| [reason]),
        /// Orders that entered a status.
        orders_status_total: IntCounterVec["status"] = Status::ALL.map(|status| [status.as_str()]),
        /// Orders that were cancelled, by reason.
        orders_cancelled_total: IntCounterVec["reason"] = Reason::ALL.map(|reason| [reason.as_str()]),
        /// Orders that are neither completed nor cancelled, by status. Each replica shows the number of the whole database.
        orders_open: IntGaugeVec["status"],
        /// Age of the oldest order that is neither completed nor cancelled; 0 without one.
        orders_oldest_open_age_seconds: Gauge,
        /// Seconds from placing an order to its end.
        flow_duration_seconds: HistogramVec["outcome"] = [Status::Completed, Status::Cancelled].map(|status| [status.as_str()]),
    }
}
