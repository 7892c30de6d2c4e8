//! The business numbers of `payments`.

use chassis::metrics::each;

use crate::unknown::OUTCOMES;

chassis::metrics! {
    /// The business numbers of `payments`.
    pub(crate) struct Metrics in "mesh_payments" {
        /// Payments that were settled, by outcome: authorized, declined, failed (the third party did not answer).
        settled_total: IntCounterVec["outcome"] = [["authorized"], ["declined"], ["failed"]],
        /// Charges whose answer was lost and that were voided, by outcome: refunded, failed (nothing was charged).
        resolved_total: IntCounterVec["outcome"] = OUTCOMES.map(|outcome| [outcome]),
        /// Charges whose outcome is unknown, as the database has it: every replica shows the same number.
        unknown: IntGauge,
        /// Those of them that ten attempts have not resolved: a person must ask the third party.
        unresolved: IntGauge,
        /// Payments that were given back.
        refunds_total: IntCounter,
        /// Requests to the third party, by operation (charge, refund, void) and outcome: done, refused, failing, silent.
        provider_attempts_total: IntCounterVec["operation", "outcome"] =
            each(&["charge", "refund", "void"], &["done", "refused", "failing", "silent"]),
    }
}
