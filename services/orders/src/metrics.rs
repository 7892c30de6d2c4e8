//! The business numbers of `orders`.

use crate::{
    domain::{Reason, Status},
    orders::REFUSALS,
};

chassis::metrics! {
    /// The business numbers of `orders`.
    pub(crate) struct Metrics in "mesh" {
        /// Orders that were placed.
        orders_placed_total: IntCounter,
        /// Orders that were refused, by reason.
        orders_refused_total: IntCounterVec["reason"] = REFUSALS.map(|reason| [reason]),
        /// Orders that took a status.
        orders_status_total: IntCounterVec["status"] = Status::ALL.map(|status| [status.word()]),
        /// Orders that were cancelled, by reason.
        orders_cancelled_total: IntCounterVec["reason"] = Reason::ALL.map(|reason| [reason.word()]),
        /// Seconds from placing an order to its end.
        flow_duration_seconds: HistogramVec["outcome"] = [Status::Completed, Status::Cancelled].map(|status| [status.word()]),
    }
}
