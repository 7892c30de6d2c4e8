//! Passes spans and log lines on to the store and the topology, and counts them.

use std::sync::Arc;

use crate::{
    clock::Clock,
    domain::{Logs, Spans},
    metrics::Metrics,
    scrape::Scraper,
    store::{Loaded, Store, Taken},
    topology::Topology,
};

/// The entry for spans and log lines.
pub(crate) struct Intake {
    store: Arc<Store>,
    topology: Arc<Topology>,
    scraper: Arc<Scraper>,
    metrics: Metrics,
    clock: Clock,
}

impl Intake {
    pub(crate) fn new(
        store: &Arc<Store>,
        topology: &Arc<Topology>,
        scraper: &Arc<Scraper>,
        metrics: Metrics,
        clock: Clock,
    ) -> Self {
        let (store, topology, scraper) =
            (Arc::clone(store), Arc::clone(topology), Arc::clone(scraper));
        Self { store, topology, scraper, metrics, clock }
    }

    /// Takes spans; returns the number of those that could not be kept.
    pub(crate) fn take_spans(&self, batches: &[Spans]) -> u64 {
        let now = self.clock.now();
        let mut left_out = 0;
        for spans in batches {
            let taken = self.store.take_spans(spans);
            self.metrics.spans_received_total.inc_by(taken.kept + taken.left_out);
            left_out += taken.left_out;
            self.count_evicted(taken);
            self.topology.observe(spans, now);
        }
        self.metrics.spans_refused_total.with_label_values(&["large_trace"]).inc_by(left_out);
        self.settle();
        left_out
    }

    /// Takes what an earlier process of lens has kept; it was counted when it was received.
    pub(crate) fn restore(&self, loaded: &Loaded) {
        let now = self.clock.now();
        for spans in &loaded.spans {
            self.count_evicted(self.store.restore_spans(spans));
            self.topology.observe(spans, now);
        }
        for logs in &loaded.logs {
            self.count_evicted(self.store.take_logs(logs));
        }
        for (trace, spans) in &loaded.left_out {
            self.store.note_left_out(*trace, *spans);
        }
        self.settle();
    }

    pub(crate) fn take_logs(&self, batches: &[Logs]) {
        for logs in batches {
            let taken = self.store.take_logs(logs);
            self.metrics.log_lines_received_total.inc_by(taken.kept);
            self.count_evicted(taken);
        }
        self.settle();
    }

    /// Counts spans that cannot be kept because they have no id.
    pub(crate) fn refuse_spans(&self, count: u64) {
        self.metrics.spans_received_total.inc_by(count);
        self.metrics.spans_refused_total.with_label_values(&["invalid"]).inc_by(count);
    }

    /// Reserves the memory that the topology and the scraper use now, and updates the gauges.
    pub(crate) fn settle(&self) {
        self.count_evicted(self.store.reserve(self.topology.bytes() + self.scraper.bytes()));
        let usage = self.store.usage();
        self.metrics.memory_bytes.set(usage.bytes as i64);
        self.metrics.memory_limit_bytes.set(usage.limit as i64);
        self.metrics.traces.set(usage.traces as i64);
        self.metrics.log_lines.set(usage.lines as i64);
    }

    fn count_evicted(&self, taken: Taken) {
        self.metrics.spans_evicted_total.inc_by(taken.evicted_spans);
        self.metrics.log_lines_evicted_total.inc_by(taken.evicted_lines);
    }
}
