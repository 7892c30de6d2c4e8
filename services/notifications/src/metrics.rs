//! The business numbers of `notifications`.

use chassis::metrics::each;
use proto::topics;

chassis::metrics! {
    /// The business numbers of `notifications`.
    pub(crate) struct Metrics in "mesh_notifications" {
        /// Live updates by the topic they come from and outcome: sent, lost (NATS was away), refused (nobody can be addressed).
        updates_total: IntCounterVec["topic", "outcome"] = each(&topics::ALL, &["sent", "lost", "refused"]),
    }
}
