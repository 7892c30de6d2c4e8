//! The business numbers of `catalog`.

chassis::metrics! {
    /// The business numbers of `catalog`.
    pub(crate) struct Metrics in "mesh_catalog" {
        /// Questions that the cache answered, those that waited for somebody else's loading included.
        cache_hits_total: IntCounterVec["cache"],
        /// Questions that the database had to answer.
        cache_misses_total: IntCounterVec["cache"],
    }
}
