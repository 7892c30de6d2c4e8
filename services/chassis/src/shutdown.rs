//! Signals: the first one begins the drain, the second one ends the process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit status after a second signal: killed by SIGTERM, as a shell would say it.
const IMPATIENT: i32 = 143;

/// Cancels the token at the first SIGTERM or SIGINT; ends the process at the second.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that owns signals, and the exit after the second"
)]
pub(crate) fn listen(draining: CancellationToken) -> io::Result<impl Future<Output = ()> + Send> {
    let (mut term, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        loop {
            let name = tokio::select! {
                _ = term.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if draining.is_cancelled() {
                tracing::warn!(signal = name, "ending at once");
                std::process::exit(IMPATIENT);
            }
            tracing::info!(signal = name, "draining");
            draining.cancel();
        }
    })
}
