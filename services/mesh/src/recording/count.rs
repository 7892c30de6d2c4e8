//! Counts what lines of OTLP's JSON have; a line that is none is an error.

use std::{borrow::Cow, collections::BTreeSet};

use serde::Deserialize;

use super::Entry;

/// The counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) spans: u64,
    pub(crate) log_lines: u64,
    pub(crate) metric_points: u64,
    pub(crate) services: BTreeSet<String>,
    times: Option<(u64, u64)>,
}

impl Counts {
    /// Counts a line of an entry.
    ///
    /// # Errors
    /// The line is not a request of that kind.
    pub(crate) fn add(&mut self, entry: Entry, line: &[u8]) -> Result<(), serde_json::Error> {
        match entry {
            Entry::Traces => {
                let request: Traces<'_> = serde_json::from_slice(line)?;
                for of_resource in request.resource_spans {
                    self.note_service(of_resource.resource);
                    let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
                    spans.for_each(|span| {
                        self.spans += 1;
                        self.note(span.start_time_unix_nano.0);
                        self.note(span.end_time_unix_nano.0);
                    });
                }
            }
            Entry::Logs => {
                let request: Logs<'_> = serde_json::from_slice(line)?;
                for of_resource in request.resource_logs {
                    self.note_service(of_resource.resource);
                    let lines =
                        of_resource.scope_logs.into_iter().flat_map(|scope| scope.log_records);
                    lines.for_each(|line| {
                        self.log_lines += 1;
                        self.note(line.time_unix_nano.0);
                    });
                }
            }
            Entry::Metrics => {
                let request: Metrics = serde_json::from_slice(line)?;
                let scopes = request.resource_metrics.into_iter().flat_map(|of| of.scope_metrics);
                for metric in scopes.flat_map(|scope| scope.metrics) {
                    for point in metric.gauge.data_points.iter().chain(&metric.sum.data_points) {
                        self.metric_points += 1;
                        self.note(point.time_unix_nano.0);
                    }
                }
            }
            Entry::Snapshot => {}
        }
        Ok(())
    }

    /// The earliest and the latest time, both not after `now_ns`: a wrong clock of a sender must not move the present of a replay.
    pub(super) fn span_of_time(&self, now_ns: u64) -> (u64, u64) {
        let (from, to) = self.times.unwrap_or((now_ns, now_ns));
        (from.min(now_ns), to.min(now_ns))
    }

    /// Zero is the time of records without one.
    fn note(&mut self, at_ns: u64) {
        if at_ns > 0 {
            let (from, to) = self.times.unwrap_or((at_ns, at_ns));
            self.times = Some((from.min(at_ns), to.max(at_ns)));
        }
    }

    fn note_service(&mut self, resource: Resource<'_>) {
        let name =
            resource.attributes.into_iter().find(|attribute| attribute.key == "service.name");
        if let Some(service) = name.and_then(|name| name.value.string_value)
            && !self.services.contains(&*service)
        {
            self.services.insert(service.into_owned());
        }
    }
}

/// A number that JSON of protobuf writes as a string; a reader accepts both.
#[derive(Default)]
struct Nanos(u64);

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<'a> {
            Number(u64),
            Text(#[serde(borrow)] Cow<'a, str>),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Self(number)),
            Either::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Traces<'a> {
    #[serde(borrow)]
    resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    #[serde(borrow, default)]
    resource: Resource<'a>,
    #[serde(default)]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    #[serde(default)]
    start_time_unix_nano: Nanos,
    #[serde(default)]
    end_time_unix_nano: Nanos,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logs<'a> {
    #[serde(borrow)]
    resource_logs: Vec<ResourceLogs<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs<'a> {
    #[serde(borrow, default)]
    resource: Resource<'a>,
    #[serde(default)]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs {
    #[serde(default)]
    log_records: Vec<Point>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetrics {
    #[serde(default)]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Deserialize)]
struct ScopeMetrics {
    #[serde(default)]
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    #[serde(default)]
    gauge: Points,
    #[serde(default)]
    sum: Points,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Points {
    #[serde(default)]
    data_points: Vec<Point>,
}

/// A point of a metric, or a log line: what has a time.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    #[serde(default)]
    time_unix_nano: Nanos,
}

#[derive(Default, Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default)]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text<'a> {
    #[serde(borrow)]
    string_value: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_lines_and_points_are_counted_with_their_times() {
        let mut counts = Counts::default();
        let resource = r#""resource":{"attributes":[{"key":"host.id","value":{"intValue":"1"}},{"key":"service.name","value":{"stringValue":"orders"}}]}"#;
        let spans = r#"[{"startTimeUnixNano":"5","endTimeUnixNano":"9"},{"startTimeUnixNano":7}]"#;
        let traces =
            format!(r#"{{"resourceSpans":[{{{resource},"scopeSpans":[{{"spans":{spans}}}]}}]}}"#);
        counts.add(Entry::Traces, traces.as_bytes()).unwrap();
        let logs = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"3"},{}]}]}]}"#;
        counts.add(Entry::Logs, logs.as_bytes()).unwrap();
        let metrics = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"timeUnixNano":"11"}]}}]}]}]}"#;
        counts.add(Entry::Metrics, metrics.as_bytes()).unwrap();
        assert_eq!((counts.spans, counts.log_lines, counts.metric_points), (2, 2, 1));
        assert_eq!(counts.services, BTreeSet::from(["orders".to_owned()]));
        assert_eq!((counts.span_of_time(100), counts.span_of_time(10)), ((3, 11), (3, 10)));
        for bad in ["", "{}", "[]", r#"{"resourceSpans":7}"#] {
            assert!(counts.add(Entry::Traces, bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
