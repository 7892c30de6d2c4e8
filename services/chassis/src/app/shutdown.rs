//! Signals: the first one begins the drain, the second one ends the process.

use std::{io, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// Exit status after a second signal: 128 + SIGTERM, as a shell reports it.
const IMPATIENT: i32 = 143;

/// Two signals within this time count as one: `timeout` signals the process and then its group, so that the process gets two.
const ONE_WISH: Duration = Duration::from_millis(200);

/// Cancels the token at the first SIGTERM or SIGINT; ends the process at the second.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that owns signals, and the exit after the second"
)]
pub(crate) fn listen(draining: CancellationToken) -> io::Result<impl Future<Output = ()> + Send> {
    let (mut term, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        let mut begun = None;
        loop {
            let name = tokio::select! {
                _ = term.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if begun.is_some_and(|begun: Instant| begun.elapsed() < ONE_WISH) {
                continue;
            }
            if begun.is_some() {
                tracing::warn!(signal = name, "ending at once");
                std::process::exit(IMPATIENT);
            }
            tracing::info!(signal = name, "draining");
            begun = Some(Instant::now());
            draining.cancel();
        }
    })
}
