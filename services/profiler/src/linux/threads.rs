//! The threads of this process during a profile.

use std::{collections::HashSet, fs, time::Duration};

use super::timer::{PERIOD, Timer, cpu_time};

/// The most threads that are known, more than a service has: the names of ended threads are kept.
const MOST: usize = 4096;

pub(super) struct Thread {
    id: i32,
    pub(super) name: String,
    timer: Option<Timer>,
    unsampled: Option<Unsampled>,
}

/// The CPU time of a thread that blocks the signal, as the threads of librdkafka do.
struct Unsampled {
    first: Duration,
    last: Duration,
}

#[derive(Default)]
pub(super) struct Threads {
    known: Vec<Thread>,
    alive: HashSet<i32>,
}

impl Threads {
    /// Starts timers for new threads, and deletes the timers of ended ones.
    pub(super) fn look(&mut self) {
        let now: HashSet<i32> = ids().collect();
        for &id in now.difference(&self.alive) {
            if self.known.len() < MOST {
                self.known.push(Thread { id, name: String::new(), timer: None, unsampled: None });
            }
        }
        for (index, thread) in self.known.iter_mut().enumerate() {
            if now.contains(&thread.id) {
                thread.look(index as u32);
            } else {
                thread.timer = None;
            }
        }
        self.alive = now;
    }

    /// Stops sampling.
    pub(super) fn stop(&mut self) {
        self.look();
        self.known.iter_mut().for_each(|thread| thread.timer = None);
    }

    pub(super) fn name(&self, index: u32) -> &str {
        self.known.get(index as usize).map_or("", |thread| &thread.name)
    }

    /// The threads that could not be sampled, and the number of samples that corresponds to their CPU time.
    pub(super) fn unsampled(&self) -> impl Iterator<Item = (&str, u64)> {
        self.known.iter().filter_map(|thread| {
            let unsampled = thread.unsampled.as_ref()?;
            let time = unsampled.last - unsampled.first;
            let samples = (time.as_nanos() + PERIOD.as_nanos() / 2) / PERIOD.as_nanos();
            (samples > 0).then_some((thread.name.as_str(), samples as u64))
        })
    }
}

impl Thread {
    /// Checks repeatedly: a thread that is just starting still has its creator's name and blocks all signals.
    fn look(&mut self, index: u32) {
        let read = |what: &str| fs::read_to_string(format!("/proc/self/task/{}/{what}", self.id));
        if let Ok(name) = read("comm") {
            self.name = name.trim().to_owned();
        }
        if self.timer.is_some() {
            return;
        }
        if read("status").is_ok_and(|status| !blocks_profiling(&status)) {
            self.timer = Timer::start(self.id, index).ok();
        }
        if self.timer.is_some() {
            self.unsampled = None;
        } else if let Some(time) = cpu_time(self.id) {
            let unsampled = self.unsampled.get_or_insert(Unsampled { first: time, last: time });
            unsampled.last = time;
        }
    }
}

/// The ids of all threads of this process but the calling one.
fn ids() -> impl Iterator<Item = i32> {
    let own = fs::read_link("/proc/thread-self").ok();
    let own = own.and_then(|path| path.file_name()?.to_str()?.parse().ok());
    let folders = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    folders
        .filter_map(|folder| folder.file_name().to_str()?.parse().ok())
        .filter(move |id| Some(*id) != own)
}

/// Whether a thread blocks SIGPROF, from `/proc/…/status`: the line `SigBlk:` has a bit for each signal.
fn blocks_profiling(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & 1 << (libc::SIGPROF - 1) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_blocks_the_signal_is_known() {
        assert!(blocks_profiling("Name:\trdk:main\nSigBlk:\tfffffffe7ffbfeff\nSigIgn:\t0\n"));
        assert!(!blocks_profiling("Name:\tmesh\nSigBlk:\t0000000000000000\n"));
        assert!(!blocks_profiling(""));
    }
}
