//! The business numbers of `payments`.

use chassis::metrics::each;

chassis::metrics! {
    /// The business numbers of `payments`.
    pub(crate) struct Metrics in "mesh_payments" {
        /// Payments that were settled, by outcome: authorized, declined, failed (the third party did not answer).
        settled_total: IntCounterVec["outcome"] = [["authorized"], ["declined"], ["failed"]],
        /// Charges whose response was lost and that were voided, by outcome: refunded, failed (nothing was charged).
        resolved_total: IntCounterVec["outcome"] = [["failed"], ["refunded"]],
        /// Charges whose outcome is unknown. Each replica shows the number of the whole database.
        unknown: IntGauge,
        /// Charges whose outcome is still unknown after ten attempts: an operator must ask the third party.
        unresolved: IntGauge,
        /// Payments that were refunded.
        refunds_total: IntCounter,
        /// Requests to the third party, by operation (charge, refund, void) and outcome: done, refused, failing, silent.
        provider_attempts_total: IntCounterVec["operation", "outcome"] =
            each(&["charge", "refund", "void"], &["done", "refused", "failing", "silent"]),
    }
}
