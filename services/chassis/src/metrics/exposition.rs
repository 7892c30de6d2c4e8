//! Writes metrics as Prometheus text and as OpenMetrics 1.0.
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>

use std::fmt::Write;

use prometheus::{
    Encoder, TextEncoder,
    proto::{LabelPair, Metric, MetricFamily, MetricType},
};

use super::exemplars::{Exemplar, Exemplars};

/// Content type of the Prometheus text format.
pub const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Content type of OpenMetrics 1.0.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The units that we use; OpenMetrics has a `UNIT` line only if the name ends with the unit.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

pub(super) fn text(families: &[MetricFamily]) -> String {
    let mut out = Vec::new();
    // Writing to memory fails only for a family without samples, and those are not gathered.
    if TextEncoder::new().encode(families, &mut out).is_err() {
        out.clear();
    }
    String::from_utf8(out).unwrap_or_default()
}

pub(super) fn openmetrics(families: &[MetricFamily], exemplars: &Exemplars) -> String {
    let mut writer = Writer { out: String::with_capacity(32 * 1024), exemplars };
    for family in families {
        writer.family(family);
    }
    writer.out.push_str("# EOF\n");
    writer.out
}

struct Writer<'a> {
    out: String,
    exemplars: &'a Exemplars,
}

impl Writer<'_> {
    fn family(&mut self, family: &MetricFamily) {
        let (full, kind) = (family.name(), family.get_field_type());
        // In OpenMetrics, a counter's family has no `_total`, which its sample must have.
        let name = if kind == MetricType::COUNTER {
            full.strip_suffix("_total").unwrap_or(full)
        } else {
            full
        };
        let word = match kind {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            _ => return,
        };
        self.line(format_args!("# TYPE {name} {word}"));
        if let Some(unit) = UNITS.iter().find(|unit| name.ends_with(&format!("_{unit}"))) {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
        self.line(format_args!("# HELP {name} {}", escaped(family.help())));
        for metric in family.get_metric() {
            let labels = labelled(metric.get_label(), None);
            match kind {
                MetricType::COUNTER => {
                    self.line(format_args!(
                        "{name}_total{labels} {}",
                        number(metric.get_counter().get_value())
                    ));
                }
                MetricType::GAUGE => self.line(format_args!(
                    "{name}{labels} {}",
                    number(metric.get_gauge().get_value())
                )),
                _ => self.histogram(name, metric),
            }
        }
    }

    fn histogram(&mut self, name: &str, metric: &Metric) {
        let (histogram, labels) = (metric.get_histogram(), metric.get_label());
        let slots = self.exemplars.find(name, labels);
        let finite = histogram
            .get_bucket()
            .iter()
            .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
        let all = finite.chain([(f64::INFINITY, histogram.get_sample_count())]);
        for (index, (bound, count)) in all.enumerate() {
            let labels = labelled(labels, Some(&number(bound)));
            let exemplar =
                slots.as_ref().and_then(|slots| slots.get(index)).map(comment).unwrap_or_default();
            self.line(format_args!("{name}_bucket{labels} {count}{exemplar}"));
        }
        let labels = labelled(labels, None);
        self.line(format_args!("{name}_sum{labels} {}", number(histogram.get_sample_sum())));
        self.line(format_args!("{name}_count{labels} {}", histogram.get_sample_count()));
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        if self.out.write_fmt(text).is_ok() {
            self.out.push('\n');
        }
    }
}

fn comment(exemplar: Exemplar) -> String {
    let Exemplar { trace_id, span_id, value, at_ms } = exemplar;
    let (seconds, millis) = (at_ms / 1000, at_ms % 1000);
    format!(
        " # {{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}} {} {seconds}.{millis:03}",
        number(value)
    )
}

fn labelled(labels: &[LabelPair], bound: Option<&str>) -> String {
    let pairs = labels
        .iter()
        .map(|label| (label.name(), label.value()))
        .chain(bound.map(|bound| ("le", bound)));
    let pairs: Vec<_> =
        pairs.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A number in canonical form: a float keeps its `.0`.
fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    if value == value.trunc() && value.abs() < 1e15 {
        format!("{value:.1}")
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    #[test]
    fn openmetrics_names_a_counter_without_its_suffix() {
        let registry = Registry::new();
        let cups: IntCounterVec =
            registry.register("mesh_cups_total", "Cups \"poured\".", &["tea"]).unwrap();
        cups.with_label_values(&["as\"sam"]).inc();
        let text = registry.openmetrics();
        assert!(
            text.contains("# TYPE mesh_cups counter\n# HELP mesh_cups Cups \\\"poured\\\".\n"),
            "{text}"
        );
        assert!(text.contains("mesh_cups_total{tea=\"as\\\"sam\"} 1.0\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn an_observation_inside_a_sampled_span_leaves_its_trace() {
        use opentelemetry::{
            Context, SpanId, TraceFlags, TraceId,
            trace::{SpanContext, TraceContextExt, TraceState},
        };
        let registry = Registry::new();
        let waits: HistogramVec =
            registry.register("mesh_wait_seconds", "Waiting.", &["who"]).unwrap();
        let span = SpanContext::new(
            TraceId::from(0xabc),
            SpanId::from(0xdef),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        );
        let guard = Context::new().with_remote_span_context(span).attach();
        waits.with(&["ada"]).observe(0.003);
        drop(guard);
        let text = registry.openmetrics();
        let line = text.lines().find(|line| line.contains("le=\"0.005\"")).unwrap();
        assert!(
            line.contains(&format!(
                "# {{trace_id=\"{:032x}\",span_id=\"{:016x}\"}} 0.003",
                0xabc, 0xdef
            )),
            "{line}"
        );
        assert!(text.contains("# UNIT mesh_wait_seconds seconds"));
    }
}
