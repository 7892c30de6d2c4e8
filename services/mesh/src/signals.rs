//! Signals for the commands that are no services.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit status after the second one: ended by SIGINT, as a shell would say it.
pub(crate) const IMPATIENT: u8 = 130;

/// Everything by which a user or a system says: enough.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interrupts {
    /// From now on they no longer end the process by themselves.
    #[expect(clippy::disallowed_methods, reason = "a command has no chassis that owns signals")]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next one's name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}
