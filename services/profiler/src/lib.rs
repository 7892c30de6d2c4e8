//! A CPU profiler for the process that it is a part of: it samples each thread as that thread uses the processor, in a few
//! MiB that are given back.
//!
//! ```text
//!  a timer a thread ──▶ SIGPROF ──▶ linux/handler: the registers, the stack by .eh_frame ──▶ linux/buffer (4 MiB, mapped)
//!  (its CPU time)                                                                                  │ when all timers are gone
//!  linux/threads: who joined, who left, who blocks signals        linux/elf: names ──▶ linux/pprof ◀┘──▶ protobuf, gzipped
//! ```
//!
//! Stacks are unwound by the tables that exceptions use, so that neither our code nor the C libraries need frame pointers.
//! Nothing that the signal handler does can wait, allocate or fault: it reads the stack with a system call that fails instead.
//!
//! This is the one crate with `unsafe` code; each such file says why, and each block why it is sound.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;

use std::{io, time::Duration};

/// Samples of a thread for each second of its CPU time: not in step with what happens every 10 ms.
pub const FREQUENCY: u32 = 99;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process has one handler for the signal.
    #[error("another profile is being taken, and one at a time is")]
    Busy,
    /// It takes Linux, and an x86-64 or ARM64 processor.
    #[error("profiles are taken on Linux on x86-64 and ARM64 only")]
    Unsupported,
    /// The system refused what a profile needs.
    #[error("{what}")]
    Refused {
        /// What it refused.
        what: &'static str,
        /// How.
        #[source]
        cause: io::Error,
    },
}

/// Samples this process' threads for so long, or until `cancelled`, and returns a profile in pprof's format, gzipped:
/// <https://github.com/google/pprof/blob/main/proto/profile.proto>.
///
/// Blocks: call it on a thread of its own. The other threads go on.
///
/// # Errors
/// Another profile is being taken, or this system has no means for it.
pub fn record(duration: Duration, cancelled: impl Fn() -> bool) -> Result<Vec<u8>, Error> {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    return linux::record(duration, cancelled);
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    {
        let _ = (duration, cancelled);
        Err(Error::Unsupported)
    }
}
