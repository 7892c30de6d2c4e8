//! The settings of caches.

use std::time::Duration;

use redis::Client;
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::{Secret, SecretUrl};

/// The settings of caches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The URL of Redis or Valkey, e.g. `redis://user:password@valkey:6379/0`, or `rediss://…` for TLS. If empty, each process
    /// has its own caches in memory.
    #[serde(deserialize_with = "address")]
    pub url: SecretUrl,
    /// Certificates, used if `url` begins with `rediss://`.
    #[serde(default)]
    pub tls: Tls,
    /// The time limit for one answer: a query of the database takes no longer.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { url: SecretUrl::default(), tls: Tls::default(), timeout: Duration::from_millis(50) }
    }
}

/// TLS of the connection to Redis.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tls {
    /// Certificates of the trusted authorities, PEM, usually given as `ca_file`. If empty, this machine's authorities are
    /// trusted.
    pub ca: String,
    /// The certificate of this client, PEM, as `certificate_file`, if the server asks for one.
    pub certificate: String,
    /// The certificate's private key, PEM, as `key_file`.
    pub key: Secret,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretUrl, D::Error> {
    SecretUrl::checked(deserializer, check)
}

/// Says what is wrong with a Redis URL; an empty one is valid.
fn check(url: &str) -> Result<(), String> {
    let known =
        ["redis:", "rediss:", "valkey:", "valkeys:", "unix:", "redis+unix:", "valkey+unix:"];
    let schemes = known.iter().any(|scheme| url.starts_with(scheme));
    if url.is_empty() || schemes && Client::open(url).is_ok() {
        return Ok(());
    }
    Err("not the address of a Redis server; expected redis://host:port/number, or rediss:// for TLS".into())
}
