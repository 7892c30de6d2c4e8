//! Signals for the commands that are not services.

use std::{io, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};

/// Exit status after the second signal: ended by SIGINT, as shells report it.
pub(crate) const IMPATIENT: u8 = 130;

/// Two signals within this time count as one: `timeout` signals a process and its group, so the process gets it twice.
const ONE_WISH: Duration = Duration::from_millis(200);

/// All signals with which a user or a system asks a command to stop.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    last: Option<Instant>,
}

impl Interrupts {
    /// From now on these signals no longer end the process by themselves.
    #[expect(clippy::disallowed_methods, reason = "a command has no chassis that owns signals")]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            last: None,
        })
    }

    /// Waits for the next signal that comes at least `ONE_WISH` after the previous one; returns its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        loop {
            let name = tokio::select! {
                _ = self.interrupt.recv() => "Ctrl-C",
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.hangup.recv() => "SIGHUP",
            };
            let now = Instant::now();
            let before = self.last.replace(now);
            if before.is_none_or(|before| now.duration_since(before) >= ONE_WISH) {
                return name;
            }
        }
    }
}
