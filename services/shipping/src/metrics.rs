//! The business numbers of `shipping`.

use crate::domain::State;

/// The states with series: a void shipment is not counted, since there is no parcel.
fn told() -> impl Iterator<Item = State> {
    State::ALL.into_iter().filter(|state| *state != State::Void)
}

chassis::metrics! {
    /// The business numbers of `shipping`.
    pub(crate) struct Metrics in "mesh_shipping" {
        /// Shipments that came into a state.
        shipments_total: IntCounterVec["state"] = told().map(|state| [state.word()]),
        /// Seconds from scheduling a shipment to dispatching it.
        dispatch_delay_seconds: Histogram,
        /// Shipments that wait for their timer; all replicas tell the same number.
        timers_pending: IntGauge,
    }
}
