//! What the process and its async runtime cost, gathered when somebody looks.

use parking_lot::Mutex;
use prometheus::{
    core::{Collector, Desc},
    process_collector::ProcessCollector,
    proto::MetricFamily,
};
use tokio::runtime::Handle;
use tokio_metrics::{RuntimeIntervals, RuntimeMonitor};

use super::{Gauge, IntCounter, IntGauge, Opts, Registry};

/// Declares `process_*` and `tokio_*` for this process.
pub(crate) fn observe_runtime(registry: &Registry) -> anyhow::Result<()> {
    registry.add(ProcessCollector::for_self())?;
    registry.add(Runtime::new()?)
}

/// Tokio's own counters: <https://docs.rs/tokio-metrics>
struct Runtime {
    intervals: Mutex<RuntimeIntervals>,
    workers: IntGauge,
    live_tasks: IntGauge,
    queued_tasks: IntGauge,
    parks: IntCounter,
    busy: Gauge,
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
            busy: Gauge::new(
                "tokio_busy_seconds",
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
            self.busy.add(interval.total_busy_duration.as_secs_f64());
        }
        self.all().into_iter().flat_map(Collector::collect).collect()
    }
}
