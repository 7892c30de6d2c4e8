//! The business numbers of `shipping`.

use crate::domain::State;

/// The states that are counted: a void shipment has no parcel.
fn counted() -> impl Iterator<Item = State> {
    State::ALL.into_iter().filter(|state| *state != State::Void)
}

chassis::metrics! {
    /// The business numbers of `shipping`.
    pub(crate) struct Metrics in "mesh_shipping" {
        /// Shipments that entered a state.
        shipments_total: IntCounterVec["state"] = counted().map(|state| [state.as_str()]),
        /// Seconds from scheduling a shipment to dispatching it.
        dispatch_delay_seconds: Histogram,
        /// Shipments that wait for their timer. Each replica shows the number of the whole database.
        timers_pending: IntGauge,
    }
}
