//! Metrics of the async runtime, and the registration of all metrics that are collected at each scrape.

use parking_lot::Mutex;
use prometheus::{
    core::{Collector, Desc},
    proto::MetricFamily,
};
use tokio::runtime::Handle;
use tokio_metrics::{RuntimeIntervals, RuntimeMonitor};

use super::{IntCounter, IntGauge, Opts, Registry, limits::Limits, process::Process};

/// Registers `process_*`, `tokio_*` and the limits of the process' cgroup.
pub(crate) fn observe_runtime(registry: &Registry) -> anyhow::Result<()> {
    registry.add(Process::new()?)?;
    registry.add(Limits::new()?)?;
    registry.add(Runtime::new()?)
}

/// Tokio's own counters: <https://docs.rs/tokio-metrics>
struct Runtime {
    intervals: Mutex<RuntimeIntervals>,
    workers: IntGauge,
    live_tasks: IntGauge,
    queued_tasks: IntGauge,
    parks: IntCounter,
    busy: prometheus::Counter,
}

impl Runtime {
    fn new() -> anyhow::Result<Self> {
        let gauge = |name: &str, help: &str| IntGauge::with_opts(Opts::new(name, help));
        Ok(Self {
            intervals: Mutex::new(RuntimeMonitor::new(&Handle::current()).intervals()),
            workers: gauge("tokio_workers", "Worker threads of the runtime.")?,
            live_tasks: gauge("tokio_live_tasks", "Tasks that have not ended.")?,
            queued_tasks: gauge("tokio_global_queue_depth", "Tasks that wait for a worker.")?,
            parks: IntCounter::new("tokio_parks_total", "How often a worker had nothing to do.")?,
            busy: prometheus::Counter::new(
                "tokio_busy_seconds_total",
                "Seconds that the workers were busy since the start.",
            )?,
        })
    }

    fn all(&self) -> [&dyn Collector; 5] {
        [&self.workers, &self.live_tasks, &self.queued_tasks, &self.parks, &self.busy]
    }
}

impl Collector for Runtime {
    fn desc(&self) -> Vec<&Desc> {
        self.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Some(interval) = self.intervals.lock().next() {
            self.workers.set(interval.workers_count as i64);
            self.live_tasks.set(interval.live_tasks_count as i64);
            self.queued_tasks.set(interval.global_queue_depth as i64);
            self.parks.inc_by(interval.total_park_count);
            self.busy.inc_by(interval.total_busy_duration.as_secs_f64());
        }
        self.all().into_iter().flat_map(Collector::collect).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_processor_is_counted_in_fractions_of_a_second() {
        let registry = Registry::new();
        observe_runtime(&registry).unwrap();
        let seconds = || {
            let text = registry.text();
            let line =
                text.lines().find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
            line.unwrap().parse::<f64>().unwrap()
        };
        let before = seconds();
        // Each collection costs some microseconds of CPU time, so that the sum soon grows by a fraction of a second.
        let after = loop {
            let now = seconds();
            if now > before {
                break now;
            }
        };
        assert!(after.fract() > 0.0, "from {before} to {after}");
        for name in [
            "open_fds",
            "max_fds",
            "virtual_memory_bytes",
            "resident_memory_bytes",
            "start_time_seconds",
            "threads",
        ] {
            assert!(registry.text().contains(&format!("\nprocess_{name} ")), "{name}");
        }
    }
}
