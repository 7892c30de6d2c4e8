//! The metrics of this process that every Prometheus client has.
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>
//!
//! They are not those of the crate `prometheus`: these count CPU time in whole seconds, so that a rate over a minute would be 0 or
//! a sixtieth of a core, and bring a library for all of `/proc`.

use std::fs;

use prometheus::{
    Counter, Gauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

use super::{IntGauge, Opts};

/// Indices among the fields of `/proc/self/stat` that follow the name of the command.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
const THREADS: usize = 17;
const START: usize = 19;
const VIRTUAL_MEMORY: usize = 20;
const RESIDENT_PAGES: usize = 21;

pub(super) struct Process {
    cpu_seconds: Counter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    virtual_memory: IntGauge,
    resident_memory: IntGauge,
    start_time: Gauge,
    threads: IntGauge,
}

impl Process {
    pub(super) fn new() -> anyhow::Result<Self> {
        let gauge = |name: &str, help: &str| IntGauge::with_opts(Opts::new(name, help));
        let process = Self {
            cpu_seconds: Counter::new(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            )?,
            open_fds: gauge("process_open_fds", "Number of open file descriptors.")?,
            max_fds: gauge("process_max_fds", "Maximum number of open file descriptors.")?,
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
            resident_memory: gauge(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
            )?,
            start_time: Gauge::new(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
            )?,
            threads: gauge("process_threads", "Number of OS threads in the process.")?,
        };
        if let (Some(started), Some(booted)) = (field(&stat(), START), booted()) {
            // With fractions: a process may be replaced within a second.
            process.start_time.set(booted as f64 + started as f64 / ticks_per_second());
        }
        Ok(process)
    }

    fn all(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu_seconds,
            &self.open_fds,
            &self.max_fds,
            &self.virtual_memory,
            &self.resident_memory,
            &self.start_time,
            &self.threads,
        ]
    }

    fn read(&self) {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        self.cpu_seconds.reset();
        self.cpu_seconds.inc_by(used.tv_sec as f64 + used.tv_nsec as f64 / 1e9);
        let stat = stat();
        for (gauge, value) in [
            (&self.virtual_memory, field(&stat, VIRTUAL_MEMORY)),
            (
                &self.resident_memory,
                field(&stat, RESIDENT_PAGES).map(|pages| pages * page_size() as i64),
            ),
            (&self.threads, field(&stat, THREADS)),
            (&self.open_fds, fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as i64)),
            (&self.max_fds, getrlimit(Resource::Nofile).current.map(|limit| limit as i64)),
        ] {
            if let Some(value) = value {
                gauge.set(value);
            }
        }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.read();
        self.all().into_iter().flat_map(Collector::collect).collect()
    }
}

fn stat() -> String {
    fs::read_to_string("/proc/self/stat").unwrap_or_default()
}

/// A field after the name of the command, which stands in parentheses and may contain any character.
fn field(stat: &str, index: usize) -> Option<i64> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(index)?.parse().ok()
}

/// When the machine was started, in seconds since the Unix epoch.
fn booted() -> Option<i64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn ticks_per_second() -> f64 {
    clock_ticks_per_second() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_this_process() {
        let process = Process::new().unwrap();
        process.read();
        let age = clock_gettime(ClockId::Realtime).tv_sec as f64 - process.start_time.get();
        assert!((-1.0..24.0 * 3600.0).contains(&age), "started {age} s ago");
        assert!(process.threads.get() > 0 && process.open_fds.get() > 2);
        assert!(process.open_fds.get() < process.max_fds.get());
        assert!(process.resident_memory.get() > 1 << 20);
        assert!(process.resident_memory.get() < process.virtual_memory.get());
    }

    #[test]
    fn a_command_may_contain_spaces_and_parentheses() {
        assert_eq!(field("7 (a) 1 (b)) S 3 4", 1), Some(3));
    }
}
