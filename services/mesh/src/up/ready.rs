//! Asks a process whether it is ready, and what it waits for until then.

use std::time::Duration;

use reqwest::Client;
use serde::Deserialize;
use tokio::time::sleep;

use crate::status::Degraded;

/// The pause between two checks: a start takes a second, and this adds at most a fiftieth to it.
const AGAIN: Duration = Duration::from_millis(20);
/// A process on this machine answers within a millisecond, unless it is stuck.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// The answer of a process about itself.
#[derive(Deserialize)]
pub(super) struct Answer {
    pub(super) ready: bool,
    missing: Vec<String>,
    /// The parts that do not work although it is ready.
    #[serde(default)]
    pub(super) degraded: Vec<Degraded>,
}

/// A client for admin ports.
pub(super) fn client() -> reqwest::Result<Client> {
    // A process on this machine is never behind a proxy.
    Client::builder().no_proxy().timeout(PROBE_TIMEOUT).build()
}

/// The answer of the process; `None` if it does not answer.
pub(super) async fn ask(client: &Client, admin: &str) -> Option<Answer> {
    let answer = client.get(format!("{admin}/readyz")).send().await.ok()?;
    answer.json().await.ok()
}

/// What the process waits for; empty when it is ready, `None` if it does not answer.
pub(super) async fn missing(client: &Client, admin: &str) -> Option<Vec<String>> {
    let answer = ask(client, admin).await?;
    Some(if answer.ready { Vec::new() } else { answer.missing })
}

/// Returns when the process is ready; until then, passes what it waits for to `on_missing`.
pub(super) async fn until(client: &Client, admin: &str, mut on_missing: impl FnMut(Vec<String>)) {
    loop {
        match missing(client, admin).await {
            Some(missing) if missing.is_empty() => return on_missing(missing),
            Some(missing) => on_missing(missing),
            None => on_missing(vec!["an answer on its admin port".into()]),
        }
        sleep(AGAIN).await;
    }
}
