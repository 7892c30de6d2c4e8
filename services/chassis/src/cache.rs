//! Cache-aside: what was read is remembered for a while, in memory, or in Redis (Valkey), which all replicas share.
//!
//! ```text
//!  get ──▶ who asks for what is being loaded waits for it ──▶ memory, or Redis ──▶ hit
//!                                                                  └── not there, or no answer ──▶ load
//! ```
//!
//! A cache that does not answer costs no request, only time: 50 ms each, until its circuit breaker opens.

mod server;

use std::{hash::Hash, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

pub(crate) use server::Shared;

use crate::{
    Error, breaker,
    config::{Secret, SecretUrl},
    metrics::{Begin, IntCounter, Registry},
    readiness::Readiness,
};

/// Where caches are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Where Redis or Valkey is, e.g. `redis://user:password@valkey:6379/0`, or `rediss://…` for TLS; empty: each process has caches of its own, in memory.
    #[serde(deserialize_with = "address")]
    pub url: SecretUrl,
    /// Certificates, where `url` begins with `rediss://`.
    #[serde(default)]
    pub tls: Tls,
    /// How long it may take to answer; a database takes no longer.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { url: SecretUrl::default(), tls: Tls::default(), timeout: Duration::from_millis(50) }
    }
}

/// TLS to the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tls {
    /// Certificates of the authorities to trust, PEM, most easily as `ca_file`; this machine's if empty.
    pub ca: String,
    /// The certificate of this client, PEM, as `certificate_file`, where the server asks for one.
    pub certificate: String,
    /// The certificate's private key, PEM, as `key_file`.
    pub key: Secret,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretUrl, D::Error> {
    SecretUrl::checked(deserializer, server::check)
}

crate::metrics! {
    /// What caches are good for.
    pub(crate) struct Metrics in "mesh_cache" {
        /// Questions by outcome: hit (those that waited for somebody else's loading included), miss (it was loaded), error
        /// (it was loaded because the cache did not answer).
        operations_total: IntCounterVec["cache", "outcome"],
    }
}

/// Makes a service's caches.
#[derive(Clone)]
pub struct Caches {
    service: &'static str,
    shared: Option<Shared>,
    metrics: Metrics,
}

impl Caches {
    /// As the settings say. Nobody waits for the server: a service is ready without it.
    ///
    /// # Errors
    /// The URL is none.
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

    /// Caches that belong to no [`App`](crate::App), in memory: for tests of what a service does with them.
    ///
    /// # Errors
    /// The registry has some already.
    pub fn alone(registry: &Registry) -> anyhow::Result<Self> {
        Ok(Self { service: "test", shared: None, metrics: Metrics::register(registry)? })
    }

    /// A cache of so many values, each for so long; `name` tells it from the service's others.
    pub fn cache<K, V>(&self, name: &'static str, capacity: u64, ttl: Duration) -> Cache<K, V>
    where
        K: Hash + Eq + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let outcomes = ["hit", "miss", "error"];
        self.metrics.operations_total.begin(outcomes.map(|outcome| [name, outcome]));
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

/// With a shared cache, what is kept here is only for those who ask at the same time.
const TOGETHER: Duration = Duration::from_millis(1);

/// Values by their key, for a while. A value that everybody wants is not loaded by everybody at once.
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
    /// The value under this key; loaded, if it is not there. A failure is told to all who waited, and not remembered.
    ///
    /// # Errors
    /// What loading it ended with.
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

    /// Its name where others can see it; a key that cannot be written is known here only.
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
            // What another version has written may not be readable: it is written anew.
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
            // It is there for the next one, or it is not.
            shared.set(name, text, self.ttl).await.ok();
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests;
