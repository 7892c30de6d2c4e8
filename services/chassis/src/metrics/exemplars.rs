//! Histograms that remember, for each bucket, the trace of a recent observation.
//!
//! The data model of crate `prometheus` has no exemplars: they are kept beside the histogram and joined by name and labels when
//! the metrics are written.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::{Context, SpanId, TraceId, trace::TraceContextExt};
use parking_lot::{Mutex, RwLock};
use prometheus::{HistogramOpts, core::Collector, proto::LabelPair};

use super::SECONDS;

/// The shortest time between two exemplars of a bucket: it keeps the clock and the lock off the hot path.
const RENEW_MS: u64 = 100;

/// One observation, and the span during which it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exemplar {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) value: f64,
    pub(super) at_ms: u64,
}

/// One slot per bucket, `+Inf` included.
#[derive(Default)]
pub(super) struct Slots([Slot; SECONDS.len() + 1]);

#[derive(Default)]
struct Slot {
    exemplar: Mutex<Option<Exemplar>>,
    renewed_ms: AtomicU64,
}

impl Slots {
    fn offer(&self, value: f64) {
        let Some(slot) = self.0.get(SECONDS.partition_point(|bound| value > *bound)) else {
            return;
        };
        let at_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64);
        if at_ms.saturating_sub(slot.renewed_ms.load(Ordering::Relaxed)) < RENEW_MS {
            return;
        }
        Context::map_current(|context| {
            let span = context.span();
            let span = span.span_context();
            if !span.is_sampled() {
                return;
            }
            // Losing one exemplar to a race is fine; waiting for the lock is not.
            if let Some(mut exemplar) = slot.exemplar.try_lock() {
                *exemplar = Some(Exemplar {
                    trace_id: span.trace_id(),
                    span_id: span.span_id(),
                    value,
                    at_ms,
                });
                slot.renewed_ms.store(at_ms, Ordering::Relaxed);
            }
        });
    }

    pub(super) fn get(&self, bucket: usize) -> Option<Exemplar> {
        *self.0.get(bucket)?.exemplar.lock()
    }
}

/// The exemplars of a registry, by the name and labels of the histogram.
#[derive(Default)]
pub(super) struct Exemplars(RwLock<HashMap<String, Arc<Slots>>>);

impl Exemplars {
    pub(super) fn find(&self, name: &str, labels: &[LabelPair]) -> Option<Arc<Slots>> {
        self.0.read().get(&join_key(name, labels)).cloned()
    }
}

fn join_key(name: &str, labels: &[LabelPair]) -> String {
    let mut key = name.to_owned();
    for label in labels {
        key.push('\u{1}');
        key.push_str(label.name());
        key.push('\u{2}');
        key.push_str(label.value());
    }
    key
}

/// A histogram of seconds with trace exemplars. Cheap to clone; look it up once and keep it.
#[derive(Clone)]
pub struct Histogram {
    histogram: prometheus::Histogram,
    slots: Arc<Slots>,
    family: prometheus::HistogramVec,
}

impl Histogram {
    /// Adds one observation, in seconds; the current OpenTelemetry span, if sampled, becomes the bucket's exemplar.
    pub fn observe(&self, seconds: f64) {
        self.histogram.observe(seconds);
        self.slots.offer(seconds);
    }

    pub(super) fn collector_of(&self) -> Box<dyn Collector> {
        Box::new(self.family.clone())
    }
}

/// Histograms of seconds that differ in their labels.
#[derive(Clone)]
pub struct HistogramVec {
    family: prometheus::HistogramVec,
    name: Arc<str>,
    children: Arc<RwLock<HashMap<String, Histogram>>>,
    exemplars: Arc<Exemplars>,
}

impl HistogramVec {
    pub(super) fn new(
        name: &str,
        help: &str,
        labels: &[&str],
        exemplars: Arc<Exemplars>,
    ) -> anyhow::Result<Self> {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        let family = prometheus::HistogramVec::new(options, labels)?;
        Ok(Self { family, name: name.into(), children: Arc::default(), exemplars })
    }

    /// The histogram with these label values, in the order of the declaration. There must be one value for each label.
    pub fn with(&self, values: &[&str]) -> Histogram {
        let key = values.join("\u{1}");
        if let Some(child) = self.children.read().get(&key) {
            return child.clone();
        }
        // Looked up again under the lock: two threads that create the same child must share its slots.
        let mut children = self.children.write();
        children.entry(key).or_insert_with(|| self.child(values)).clone()
    }

    fn child(&self, values: &[&str]) -> Histogram {
        let histogram = self.family.with_label_values(values);
        let slots = Arc::new(Slots::default());
        // The histogram's own samples have the labels in the order in which they are written.
        if let Some(metric) =
            histogram.collect().first().and_then(|family| family.get_metric().first().cloned())
        {
            self.exemplars
                .0
                .write()
                .insert(join_key(&self.name, metric.get_label()), Arc::clone(&slots));
        }
        Histogram { histogram, slots, family: self.family.clone() }
    }

    pub(super) fn collector_of(&self) -> Box<dyn Collector> {
        Box::new(self.family.clone())
    }
}
