//! The business numbers of `payments`.

use chassis::metrics::each;

chassis::metrics! {
    /// The business numbers of `payments`.
    pub(crate) struct Metrics in "mesh_payments" {
        /// Payments that were settled, by outcome: authorized, declined, failed.
        settled_total: IntCounterVec["outcome"] = [["authorized"], ["declined"], ["failed"]],
        /// Payments that were given back.
        refunds_total: IntCounter,
        /// Requests to the third party, by operation (charge, refund) and outcome: done, refused, failing, silent.
        provider_attempts_total: IntCounterVec["operation", "outcome"] =
            each(&["charge", "refund"], &["done", "refused", "failing", "silent"]),
    }
}
