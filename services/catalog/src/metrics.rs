//! The numbers of `catalog`.

use chassis::metrics::each;

chassis::metrics! {
    /// What the caches are good for.
    pub(crate) struct Metrics in "mesh_cache" {
        /// Questions by outcome: hit (those that waited for somebody else's loading included), miss (the database had to
        /// answer), error (the cache did not).
        operations_total: IntCounterVec["cache", "outcome"] =
            each(&["product", "page"], &["hit", "miss", "error"]),
    }
}
