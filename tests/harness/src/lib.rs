//! Runs the real binary for the tests, and reads its output: over HTTP, OTLP and `/metrics`.
//!
//! ```text
//!  Mesh ── spawns ──▶ mesh up ── OTLP ──▶ Collector ──▶ Story
//!   └─ Gateway: places orders          └─ /metrics ──▶ Samples
//! ```

mod alone;
mod collector;
mod gateway;
mod mesh;
mod metrics;
mod pause;
mod ports;
mod prometheus;
mod provider;
mod story;
pub mod websocket;

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep};

pub use alone::is_alone;
pub use collector::{Collector, Kind, Line, Span};
pub use gateway::{Answer, Gateway, Live, Order};
pub use mesh::{Mesh, Options, Service};
pub use metrics::{Sample, Samples};
pub use pause::Paused;
pub use ports::free_base;
pub use provider::Provider;

/// How long an operation may take on a small and busy machine before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Calls `ask` until it returns a value.
///
/// # Panics
/// If it returned none within [`PATIENCE`]; the message says what was awaited.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl FnMut() -> F) -> T {
    until_within(PATIENCE, what, ask).await
}

/// [`until`] for what takes long by itself.
///
/// # Panics
/// If it returned none within `patience`; the message says what was awaited.
pub async fn until_within<T, F: Future<Output = Option<T>>>(
    patience: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "waited {patience:?} in vain for {what}");
        sleep(Duration::from_millis(25)).await;
    }
}

/// The body at a URL; `None` without a response.
pub async fn text(url: &str) -> Option<String> {
    reqwest::get(url).await.ok()?.text().await.ok()
}
