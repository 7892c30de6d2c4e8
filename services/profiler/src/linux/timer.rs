//! A timer for each thread, on the CPU time of that thread, so that the signal is sent to the thread that works. The one timer
//! of a process (`ITIMER_PROF`) would charge the work of threads that block signals to other threads.
#![expect(unsafe_code, reason = "rustix and std have no POSIX timers")]

use std::{io, mem, ptr, time::Duration};

use crate::FREQUENCY;

/// The CPU time between two samples of a thread.
pub(super) const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / FREQUENCY as u64);

/// Sends SIGPROF to one thread as it uses the processor.
pub(super) struct Timer(libc::timer_t);

// SAFETY: the id of a timer is valid in the whole process.
unsafe impl Send for Timer {}

impl Timer {
    /// Starts a timer; each of its signals carries `index`.
    pub(super) fn start(thread: i32, index: u32) -> io::Result<Self> {
        let mut timer = ptr::null_mut();
        // SAFETY: both structures are plain data, for which zero is valid, and live through the calls.
        unsafe {
            let mut event: libc::sigevent = mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_notify_thread_id = thread;
            event.sigev_signo = libc::SIGPROF;
            event.sigev_value.sival_ptr = ptr::without_provenance_mut(index as usize);
            succeeded(libc::timer_create(clock(thread), &mut event, &mut timer))?;
            let timer = Self(timer);
            let mut period: libc::itimerspec = mem::zeroed();
            period.it_interval.tv_nsec = PERIOD.subsec_nanos().into();
            period.it_value = period.it_interval;
            succeeded(libc::timer_settime(timer.0, 0, &period, ptr::null_mut()))?;
            Ok(timer)
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: the timer was created in `start`, and is deleted once.
        unsafe { libc::timer_delete(self.0) };
    }
}

/// The CPU time of a thread of this process since the thread began; `None` if it has ended.
pub(super) fn cpu_time(thread: i32) -> Option<Duration> {
    // SAFETY: the structure is plain data, for which zero is valid, and lives through the call.
    let time = unsafe {
        let mut time: libc::timespec = mem::zeroed();
        succeeded(libc::clock_gettime(clock(thread), &mut time)).ok()?;
        time
    };
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

/// The same as `pthread_getcpuclockid`, for a thread id: the scheduler's clock (2) of a thread (4).
fn clock(thread: i32) -> libc::clockid_t {
    (!thread << 3) | 4 | 2
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
