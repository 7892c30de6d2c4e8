//! A CPU profiler for its own process. It samples each thread by the CPU time of that thread, in a few MiB that are returned to
//! the system.
//!
//! ```text
//!  a timer a thread ──▶ SIGPROF ──▶ linux/handler: the registers, the stack by .eh_frame ──▶ linux/buffer (4 MiB, mapped)
//!  (its CPU time)                                                                                  │ when all timers are gone
//!  linux/threads: new, ended, and those that block SIGPROF        linux/elf: names ──▶ linux/pprof ◀┘──▶ protobuf, gzipped
//! ```
//!
//! Stacks are unwound with the tables that exceptions use, so that neither our code nor the C libraries need frame pointers.
//! The signal handler never waits, allocates or faults: it reads the stack with a system call, which fails instead of faulting.
//!
//! This is the one crate with `unsafe` code; each such file says why, and each block why it is sound.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;

use std::{io, time::Duration};

/// Samples of a thread per second of its CPU time: not 100, which would be in step with work that happens every 10 ms.
pub const FREQUENCY: u32 = 99;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another profile is being taken: the process has only one handler for the signal.
    #[error("another profile is being taken, and one at a time is")]
    Busy,
    /// Profiles need Linux, and an x86-64 or ARM64 processor.
    #[error("profiles are taken on Linux on x86-64 and ARM64 only")]
    Unsupported,
    /// The system refused something that a profile needs.
    #[error("{what}")]
    Refused {
        /// The refused operation.
        what: &'static str,
        /// The system's error.
        #[source]
        cause: io::Error,
    },
}

/// Samples this process' threads for `duration`, or until `cancelled`, and returns a profile in pprof's format, gzipped:
/// <https://github.com/google/pprof/blob/main/proto/profile.proto>.
///
/// Blocks: call it on a thread of its own, which is not sampled itself.
///
/// # Errors
/// Another profile is being taken, this platform is not supported, or the system refuses what a profile needs.
pub fn record(duration: Duration, cancelled: impl Fn() -> bool) -> Result<Vec<u8>, Error> {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    return linux::record(duration, cancelled);
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    {
        let _ = (duration, cancelled);
        Err(Error::Unsupported)
    }
}
