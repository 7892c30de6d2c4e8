//! The business numbers of `inventory`.

use crate::{domain::Change, error::OUTCOMES};

chassis::metrics! {
    /// The business numbers of `inventory`.
    pub(crate) struct Metrics in "mesh_inventory" {
        /// Requests to reserve stock, by outcome: held, repeated (it was held already), or why not.
        reservations_total: IntCounterVec["outcome"] = OUTCOMES.map(|outcome| [outcome]),
        /// Reservations that an order's outcome changed: committed, released, or returned (released after it was committed).
        settled_total: IntCounterVec["change"] = Change::ALL.map(|change| [change.as_str()]),
        /// Holds that expired before the order's outcome was known.
        expirations_total: IntCounter,
        /// Reservations that hold stock now. Each replica shows the number of the whole database.
        held: IntGauge,
    }
}
