//! The settings of live messages.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::SecretUrl;

/// The settings of live messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The URL of NATS, e.g. `nats://user:password@nats:4222`; several with commas.
    pub url: SecretUrl,
    /// The time limit of one call.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { url: "nats://127.0.0.1:4222".into(), timeout: Duration::from_secs(2) }
    }
}

/// Says what is wrong with a list of NATS URLs.
pub(crate) fn check(url: &str) -> Result<(), String> {
    let wrong = |part: &str| {
        let address = part.trim().parse::<async_nats::ServerAddr>();
        !address.is_ok_and(|address| !address.host().is_empty())
    };
    if url.split(',').any(wrong) {
        return Err(
            "not the address of a NATS server; expected nats://host:port, several with commas"
                .into(),
        );
    }
    Ok(())
}
