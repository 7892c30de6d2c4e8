//! Series of Prometheus → OTLP's metrics, in JSON, so that other tools can read a run.
//!
//! Each series becomes a gauge or a sum of the same name, histograms as their `_bucket`, `_sum` and `_count`; its labels become
//! attributes, and `job` and `instance` the resource's `service.name` and `service.instance.id`. There is one point each fifteen
//! seconds, as a Prometheus usually scrapes: with every scrape of lens, and the attributes at each point, as OTLP has them, thirty
//! minutes would be gigabytes of JSON. The snapshot beside it has every sample.

use std::collections::BTreeMap;

use promql::{Labels, METRIC_NAME, Query, Sample, Select, Storage, is_stale};
use serde_json::{Map, Value, json};
use timeseries::{Metadata, Store};

/// The interval between two points.
const STEP_MS: i64 = 15_000;

/// The names of all metrics.
pub(super) fn names(store: &Store) -> Vec<String> {
    let mut names: Vec<_> =
        store.series(&[]).iter().map(|labels| labels.metric_name().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// Appends the requests with one metric's series: one for each target.
pub(super) fn write(
    store: &Store,
    name: &str,
    metadata: &BTreeMap<String, Vec<Metadata>>,
    out: &mut Vec<u8>,
) {
    let selector = Query::parse(&format!("{{{METRIC_NAME}={name:?}}}"));
    let Some(matchers) = selector.ok().and_then(|selector| selector.as_selector()) else { return };
    let select = Select { matchers: &matchers, from_ms: i64::MIN, to_ms: i64::MAX };
    let mut targets: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    let selected = store.select(&select, &mut |labels, samples| {
        let target = (labels.get("job").to_owned(), labels.get("instance").to_owned());
        targets.entry(target).or_default().extend(points(labels, samples));
        Ok(())
    });
    if selected.is_err() {
        return;
    }
    let (family, is_sum) = family(name, metadata);
    for ((job, instance), points) in targets {
        let data = if is_sum {
            json!({ "dataPoints": points, "aggregationTemporality": CUMULATIVE, "isMonotonic": true })
        } else {
            json!({ "dataPoints": points })
        };
        let mut metric = json!({ "name": name, if is_sum { "sum" } else { "gauge" }: data });
        if let Some(family) = family {
            metric["description"] = family.help.as_str().into();
            metric["unit"] = family.unit.as_str().into();
        }
        let resource =
            [attribute("service.name", &job), attribute("service.instance.id", &instance)];
        let request = json!({ "resourceMetrics": [{
            "resource": { "attributes": resource },
            "scopeMetrics": [{ "scope": { "name": "lens" }, "metrics": [metric] }],
        }]});
        out.extend_from_slice(request.to_string().as_bytes());
        out.push(b'\n');
    }
}

/// OTLP's code for sums since a start.
const CUMULATIVE: i32 = 2;

/// OTLP's flag for a point that says that a series has ended: Prometheus' staleness marker.
const NO_VALUE: i32 = 1;

/// The last sample of each step.
fn points(labels: &Labels, samples: &[Sample]) -> Vec<Value> {
    let mut last: Vec<&Sample> = Vec::new();
    for sample in samples {
        match last.last_mut() {
            Some(known) if known.at_ms.div_euclid(STEP_MS) == sample.at_ms.div_euclid(STEP_MS) => {
                *known = sample;
            }
            _ => last.push(sample),
        }
    }
    let own =
        labels.iter().filter(|(name, _)| !matches!(&**name, METRIC_NAME | "job" | "instance"));
    let attributes: Vec<_> = own.map(|(name, value)| attribute(name, value)).collect();
    let point = |sample: &Sample| {
        let mut point = Map::new();
        point.insert(
            "timeUnixNano".into(),
            (i128::from(sample.at_ms) * 1_000_000).to_string().into(),
        );
        point.insert("attributes".into(), attributes.clone().into());
        match sample.value {
            value if is_stale(value) => point.insert("flags".into(), NO_VALUE.into()),
            value => point.insert("asDouble".into(), number(value)),
        };
        point.into()
    };
    last.into_iter().map(point).collect()
}

/// A number as protobuf's JSON writes it.
fn number(value: f64) -> Value {
    match value {
        value if value.is_finite() => value.into(),
        value if value.is_nan() => "NaN".into(),
        value if value > 0.0 => "Infinity".into(),
        _ => "-Infinity".into(),
    }
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// The description of a series' metric, and whether the series only grows.
fn family<'a>(
    name: &str,
    all: &'a BTreeMap<String, Vec<Metadata>>,
) -> (Option<&'a Metadata>, bool) {
    let of = |name: &str| all.get(name).and_then(|known| known.first());
    if let Some(known) = of(name) {
        return (Some(known), known.kind == "counter");
    }
    for part in ["_bucket", "_sum", "_count", "_total"] {
        let known = name.strip_suffix(part).and_then(of);
        if let Some(known) = known {
            return (Some(known), true);
        }
    }
    (None, false)
}
