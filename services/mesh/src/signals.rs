//! Signals for the commands that are no services.

use std::{io, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};

/// Exit status after the second one: ended by SIGINT, as a shell would say it.
pub(crate) const IMPATIENT: u8 = 130;

/// Two signals within this are one wish: `timeout` tells a process and its group, which is twice the process.
const ONE_WISH: Duration = Duration::from_millis(200);

/// Everything by which a user or a system says: enough.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    last: Option<Instant>,
}

impl Interrupts {
    /// From now on they no longer end the process by themselves.
    #[expect(clippy::disallowed_methods, reason = "a command has no chassis that owns signals")]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            last: None,
        })
    }

    /// The name of the next one that is another wish than the last.
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
