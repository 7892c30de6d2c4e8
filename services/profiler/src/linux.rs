//! Sampling on Linux, and the report of the samples.

mod buffer;
mod elf;
mod handler;
mod modules;
mod pprof;
mod report;
mod threads;
mod timer;

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, SystemTime},
};

use crate::Error;
use buffer::Buffer;
use handler::{Handler, Shared};
use report::Report;
use threads::Threads;

/// The interval of looking for new threads: one that lives shorter may not be sampled.
const LOOK: Duration = Duration::from_millis(100);

/// Whether a profile is being taken.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// The right to take a profile: one at a time.
struct Turn;

impl Turn {
    fn take() -> Result<Self, Error> {
        if RUNNING.swap(true, Ordering::SeqCst) { Err(Error::Busy) } else { Ok(Self) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        RUNNING.store(false, Ordering::SeqCst);
    }
}

pub(crate) fn record(duration: Duration, cancelled: impl Fn() -> bool) -> Result<Vec<u8>, Error> {
    let _turn = Turn::take()?;
    handler::can_read().map_err(refused("reading stacks (process_vm_readv)"))?;
    let (mut modules, unwinder) = modules::load().map_err(refused("reading /proc/self/maps"))?;
    let buffer = Buffer::new().map_err(refused("mapping memory for samples"))?;
    let shared = Box::new(Shared::new(unwinder, buffer));
    let started = SystemTime::now();
    // Dropped in reverse order: first the timers, then the handler.
    let handler = Handler::install(shared).map_err(refused("installing a signal handler"))?;
    let mut threads = Threads::default();
    let mut rest = duration;
    while !rest.is_zero() && !cancelled() {
        threads.look();
        let nap = rest.min(LOOK);
        thread::sleep(nap);
        rest -= nap;
    }
    threads.stop();
    let mut shared = handler.remove();
    let report = Report { started, duration: duration - rest, threads: &threads };
    report.write(&mut shared, &mut modules).map_err(refused("writing the profile"))
}

fn refused(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |cause| Error::Refused { what, cause }
}
