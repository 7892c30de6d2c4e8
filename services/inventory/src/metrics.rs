//! The business numbers of `inventory`.

use crate::{domain::Change, reservations::OUTCOMES};

chassis::metrics! {
    /// The business numbers of `inventory`.
    pub(crate) struct Metrics in "mesh_inventory" {
        /// Requests to reserve stock, by outcome: held, repeated (it was held already), or why not.
        reservations_total: IntCounterVec["outcome"] = OUTCOMES.map(|outcome| [outcome]),
        /// Reservations that an order's fate changed: committed, released, or returned (released after it was committed).
        settled_total: IntCounterVec["change"] = Change::ALL.map(|change| [change.word()]),
        /// Holds that ran out before the order's fate was known.
        expirations_total: IntCounter,
        /// Reservations that hold stock now, as the database has it: every replica tells the same number.
        held: IntGauge,
    }
}
