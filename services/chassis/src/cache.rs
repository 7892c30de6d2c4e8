//! Cache-aside: values that were read are kept for a while, in memory, or in Redis (Valkey), which all replicas share.
//!
//! ```text
//!  get ──▶ concurrent requests for a key load it once ──▶ memory, or Redis ──▶ hit
//!                                                              └── not there, or no answer ──▶ load
//! ```
//!
//! A cache that does not answer fails no request, but costs time: 50 ms each, until its circuit breaker opens.

mod server;
mod settings;

use std::{hash::Hash, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

pub(crate) use server::Shared;
pub use settings::{Settings, Tls};

use crate::{
    Error, breaker,
    metrics::{InitSeries, IntCounter, Registry},
    readiness::Readiness,
};

crate::metrics! {
    /// What caches are good for.
    pub(crate) struct Metrics in "mesh_cache" {
        /// Reads by outcome: hit (also for a caller that waited while another one loaded the value), miss (the value was
        /// loaded), error (the value was loaded because the cache did not answer).
        operations_total: IntCounterVec["cache", "outcome"],
    }
}

/// Creates a service's caches.
#[derive(Clone)]
pub struct Caches {
    service: &'static str,
    shared: Option<Shared>,
    metrics: Metrics,
}

impl Caches {
    /// Opens the caches that the settings describe, without waiting for the server: a service is ready without it.
    ///
    /// # Errors
    /// The URL is invalid.
    pub(crate) fn open(
        service: &'static str,
        settings: &Settings,
        registry: &Registry,
        readiness: &Readiness,
        breakers: impl FnOnce() -> anyhow::Result<breaker::Metrics>,
    ) -> anyhow::Result<Self> {
        let shared = match settings.url.expose() {
            "" => None,
            _ => Some(Shared::open(settings, registry, readiness, &breakers()?)?),
        };
        Ok(Self { service, shared, metrics: Metrics::register(registry)? })
    }

    /// Caches in memory that belong to no [`App`](crate::App): for tests of a service's use cases.
    ///
    /// # Errors
    /// The registry already has the metrics of caches.
    pub fn for_tests(registry: &Registry) -> anyhow::Result<Self> {
        Ok(Self { service: "test", shared: None, metrics: Metrics::register(registry)? })
    }

    /// A cache of at most `capacity` values, each kept for `ttl`. `name` distinguishes the service's caches in metrics and
    /// keys.
    pub fn cache<K, V>(&self, name: &'static str, capacity: u64, ttl: Duration) -> Cache<K, V>
    where
        K: Hash + Eq + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let outcomes = ["hit", "miss", "error"];
        self.metrics.operations_total.init_series(outcomes.map(|outcome| [name, outcome]));
        let count = |outcome| self.metrics.operations_total.with_label_values(&[name, outcome]);
        let kept = if self.shared.is_some() { TOGETHER } else { ttl };
        Cache {
            prefix: format!("{}:{name}:", self.service),
            values: moka::future::Cache::builder()
                .max_capacity(capacity)
                .time_to_live(kept)
                .build(),
            shared: self.shared.clone(),
            ttl,
            hits: count("hit"),
            misses: count("miss"),
            errors: count("error"),
        }
    }
}

/// How long a value stays in this process if the cache is shared: just long enough for callers that ask at the same time.
const TOGETHER: Duration = Duration::from_millis(1);

/// Values by key, each kept for a while. Concurrent requests for the same missing key load its value once.
///
/// ```
/// use std::time::Duration;
///
/// use chassis::{Error, cache::{Cache, Caches}, metrics::Registry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// // In a service: `app.caches()?`.
/// let caches = Caches::for_tests(&Registry::new())?;
/// let prices: Cache<String, i64> = caches.cache("prices", 1_000, Duration::from_secs(60));
/// let load = async || Ok::<_, Error>(1250);
/// assert_eq!(prices.get("teapot".into(), load()).await.unwrap(), 1250);
/// # Ok(())
/// # }
/// ```
pub struct Cache<K, V> {
    prefix: String,
    values: moka::future::Cache<K, V>,
    shared: Option<Shared>,
    ttl: Duration,
    hits: IntCounter,
    misses: IntCounter,
    errors: IntCounter,
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Serialize + Send + Sync + 'static,
    V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// The value under this key; a missing value is loaded. If loading fails, all waiting callers get the error, and the error
    /// is not cached.
    ///
    /// # Errors
    /// The error of `load`.
    pub async fn get<E: Into<Error>>(
        &self,
        key: K,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<V, Arc<Error>> {
        let name = self.name(&key);
        let find = async {
            match self.shared.as_ref().zip(name) {
                Some((shared, name)) => self.through(shared, &name, load).await,
                None => {
                    self.misses.inc();
                    load.await
                }
            }
            .map_err(Into::into)
        };
        let found = self.values.entry(key).or_try_insert_with(find).await?;
        if !found.is_fresh() {
            self.hits.inc();
        }
        Ok(found.into_value())
    }

    /// The key in the shared cache. `None` without a shared cache, or if the key cannot be serialized: then the value is kept
    /// in this process only.
    fn name(&self, key: &K) -> Option<String> {
        self.shared.as_ref()?;
        let key = serde_json::to_string(key).ok()?;
        Some(format!("{}{key}", self.prefix))
    }

    async fn through<E>(
        &self,
        shared: &Shared,
        name: &str,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        let answered = match shared.get(name).await {
            // A value that another version wrote may be unreadable: it is loaded and overwritten.
            Ok(Some(text)) => match serde_json::from_slice(&text) {
                Ok(value) => {
                    self.hits.inc();
                    return Ok(value);
                }
                Err(_) => true,
            },
            Ok(None) => true,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the cache does not answer"
                );
                false
            }
        };
        if answered {
            self.misses.inc()
        } else {
            self.errors.inc()
        }
        let value = load.await?;
        if answered && let Ok(text) = serde_json::to_vec(&value) {
            // If writing fails, the next request loads the value again.
            shared.set(name, text, self.ttl).await.ok();
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests;
