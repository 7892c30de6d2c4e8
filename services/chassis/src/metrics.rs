//! Metrics: one registry per process, passed down, never global. Every metric is declared with the
//! [`metrics!`](crate::metrics!) macro.

mod accept;
mod exemplars;
mod exposition;
mod families;
mod init_series;
mod limits;
mod process;
mod runtime;

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::{core::Collector, proto::MetricFamily};

pub(crate) use accept::prefers_openmetrics;
pub use exemplars::{Histogram, HistogramVec};
pub use exposition::{OPENMETRICS, TEXT};
pub use families::Family;
pub use init_series::{InitSeries, each};
pub use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};
pub(crate) use runtime::observe_runtime;

/// Upper bounds in seconds. They are those of the OpenTelemetry semantic conventions, three smaller ones for calls within one
/// machine, and three for slow operations: 2 s, which is a promise of ours; 1.5 s, without which the p99 of operations that
/// take 1.1 s would read 1.99 s, near that promise; and 30 s, the length of a series of retries.
/// <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>
pub(crate) const SECONDS: [f64; 20] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0,
    2.5, 5.0, 7.5, 10.0, 30.0,
];

/// The metrics of one process; cheap to clone.
#[derive(Clone, Default)]
pub struct Registry {
    metrics: prometheus::Registry,
    exemplars: Arc<exemplars::Exemplars>,
    declared: Arc<Mutex<Vec<Family>>>,
    updates: Arc<Mutex<Vec<Update>>>,
}

/// Updates metrics whose values are not counted as they change.
type Update = Box<dyn Fn() + Send>;

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers one metric.
    ///
    /// # Errors
    /// A metric of the same name and labels exists already, or the name is invalid.
    pub fn register<M: Declared>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> anyhow::Result<M> {
        let metric = M::declare(self, name, help, labels)?;
        self.metrics.register(metric.collector())?;
        self.declared.lock().push(Family::new(name, M::KIND, labels));
        Ok(metric)
    }

    /// Every metric that is registered, sorted, also those without samples yet.
    pub fn families(&self) -> Vec<Family> {
        families::all(&self.declared.lock(), &self.gather())
    }

    /// Calls `update` each time before the metrics are read. `update` must not block, and must not register metrics.
    pub(crate) fn on_scrape(&self, update: impl Fn() + Send + 'static) {
        self.updates.lock().push(Box::new(update));
    }

    fn gather(&self) -> Vec<MetricFamily> {
        self.updates.lock().iter().for_each(|update| update());
        self.metrics.gather()
    }

    pub(crate) fn add(&self, collector: impl Collector + 'static) -> anyhow::Result<()> {
        Ok(self.metrics.register(Box::new(collector))?)
    }

    /// All metrics in the Prometheus text format.
    pub fn text(&self) -> String {
        exposition::text(&self.gather())
    }

    /// All metrics in OpenMetrics 1.0, with trace exemplars.
    pub fn openmetrics(&self) -> String {
        exposition::openmetrics(&self.gather(), &self.exemplars)
    }
}

/// A type of metric that [`metrics!`](crate::metrics!) can declare.
pub trait Declared: Sized {
    /// Prometheus' name of the type.
    const KIND: &'static str;
    /// Creates the metric without registering it.
    ///
    /// # Errors
    /// The name or a label is not valid in Prometheus.
    fn declare(
        registry: &Registry,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> anyhow::Result<Self>;
    /// The metric as a collector, for the registry.
    fn collector(&self) -> Box<dyn Collector>;
}

macro_rules! declared {
    ($($plain:ident, $labelled:ident: $kind:literal);+ $(;)?) => {
        $(
            impl Declared for $plain {
                const KIND: &'static str = $kind;
                fn declare(_: &Registry, name: &str, help: &str, _: &[&str]) -> anyhow::Result<Self> {
                    Ok(Self::new(name, help)?)
                }
                fn collector(&self) -> Box<dyn Collector> {
                    Box::new(self.clone())
                }
            }
            impl Declared for $labelled {
                const KIND: &'static str = $kind;
                fn declare(_: &Registry, name: &str, help: &str, labels: &[&str]) -> anyhow::Result<Self> {
                    Ok(Self::new(Opts::new(name, help), labels)?)
                }
                fn collector(&self) -> Box<dyn Collector> {
                    Box::new(self.clone())
                }
            }
        )+
    };
}

declared! {
    IntCounter, IntCounterVec: "counter";
    IntGauge, IntGaugeVec: "gauge";
    Gauge, GaugeVec: "gauge";
}

impl Declared for HistogramVec {
    const KIND: &'static str = "histogram";

    fn declare(
        registry: &Registry,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> anyhow::Result<Self> {
        Self::new(name, help, labels, Arc::clone(&registry.exemplars))
    }
    fn collector(&self) -> Box<dyn Collector> {
        self.collector_of()
    }
}

impl Declared for Histogram {
    const KIND: &'static str = "histogram";

    fn declare(registry: &Registry, name: &str, help: &str, _: &[&str]) -> anyhow::Result<Self> {
        Ok(HistogramVec::new(name, help, &[], Arc::clone(&registry.exemplars))?.with(&[]))
    }
    fn collector(&self) -> Box<dyn Collector> {
        self.collector_of()
    }
}

/// Declares a struct of metrics: the doc comment is the help text, the unit is the suffix.
///
/// ```
/// chassis::metrics! {
///     /// The business numbers of a teapot.
///     pub struct Metrics in "mesh_teapot" {
///         /// Cups poured.
///         poured_total: IntCounterVec["tea"] = [["assam"], ["sencha"]],
///         /// Seconds that a cup took.
///         pour_seconds: Histogram,
///     }
/// }
///
/// let registry = chassis::metrics::Registry::new();
/// let metrics = Metrics::register(&registry).unwrap();
/// metrics.poured_total.with_label_values(&["assam"]).inc();
/// assert!(registry.text().contains("mesh_teapot_poured_total{tea=\"assam\"} 1"));
/// assert!(registry.text().contains("mesh_teapot_poured_total{tea=\"sencha\"} 0"));
/// ```
///
/// After `=` stand the label values that are known beforehand: their series exist from the start, at zero, see [`InitSeries`].
/// A metric's name is the prefix after `in`, an underscore, and the field's name; with an empty prefix, the field's name alone.
#[macro_export]
macro_rules! metrics {
    (
        $(#[$outer:meta])*
        $visibility:vis struct $name:ident in $prefix:literal {
            $(
                $(#[doc = $help:literal])+
                $field:ident: $type:ident $([$($label:literal),+ $(,)?])? $(= $known:expr)?
            ),+ $(,)?
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone)]
        $visibility struct $name {
            $(
                $(#[doc = $help])+
                $visibility $field: $crate::metrics::$type,
            )+
        }

        impl $name {
            /// Declares these metrics in a registry.
            ///
            /// # Errors
            /// A metric of the same name is there already.
            $visibility fn register(registry: &$crate::metrics::Registry) -> ::anyhow::Result<Self> {
                let metrics = Self {
                    $(
                        $field: registry.register(
                            &$crate::metrics::full_name($prefix, stringify!($field)),
                            concat!($($help),+).trim(),
                            &[$($($label),+)?],
                        )?,
                    )+
                };
                $($($crate::metrics::InitSeries::init_series(&metrics.$field, $known);)?)+
                Ok(metrics)
            }
        }
    };
}

/// The prefix and the field's name as one metric's name.
#[doc(hidden)]
pub fn full_name(prefix: &str, field: &str) -> String {
    if prefix.is_empty() { field.to_owned() } else { format!("{prefix}_{field}") }
}
