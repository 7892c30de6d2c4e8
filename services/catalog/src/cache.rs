//! Remembers what was read from the database.

use std::{hash::Hash, sync::Arc};

use chassis::{database, metrics::IntCounter};
use moka::future;

use crate::{config, metrics::Metrics};

/// Values by their key, for a while: cache-aside. Who asks for what is being loaded waits for it, so that a value that
/// everybody wants is not loaded by everybody at once.
pub(crate) struct Cache<K, V> {
    values: future::Cache<K, V>,
    hits: IntCounter,
    misses: IntCounter,
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// `name` is its label in the metrics.
    pub(crate) fn new(
        name: &str,
        capacity: u64,
        config: &config::Cache,
        metrics: &Metrics,
    ) -> Self {
        Self {
            values: future::Cache::builder()
                .max_capacity(capacity)
                .time_to_live(config.ttl)
                .build(),
            hits: metrics.operations_total.with_label_values(&[name, "hit"]),
            misses: metrics.operations_total.with_label_values(&[name, "miss"]),
        }
    }

    /// The value under this key; loaded, if it is not there. A failure is told to all who waited, and not remembered.
    pub(crate) async fn get(
        &self,
        key: K,
        load: impl Future<Output = Result<V, database::Error>>,
    ) -> Result<V, Arc<chassis::Error>> {
        let load = async { load.await.map_err(chassis::Error::from) };
        let loaded = self.values.entry(key).or_try_insert_with(load).await;
        match &loaded {
            Ok(entry) if !entry.is_fresh() => self.hits.inc(),
            _ => self.misses.inc(),
        }
        loaded.map(moka::Entry::into_value)
    }
}

#[cfg(test)]
#[path = "cache/tests.rs"]
mod tests;
