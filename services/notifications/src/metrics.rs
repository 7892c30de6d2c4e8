//! The business numbers of `notifications`.

use chassis::metrics::each;
use proto::topics;

chassis::metrics! {
    /// The business numbers of `notifications`.
    pub(crate) struct Metrics in "mesh_notifications" {
        /// Live updates by source topic and outcome: sent, lost (NATS was unavailable), refused (the customer's name is not
        /// valid in a subject).
        updates_total: IntCounterVec["topic", "outcome"] = each(&topics::ALL, &["sent", "lost", "refused"]),
    }
}
