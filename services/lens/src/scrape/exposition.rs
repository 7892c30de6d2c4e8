//! Parses `/metrics`, in the [Prometheus text format](https://prometheus.io/docs/instrumenting/exposition_formats/).

use chassis::text::printable;

use super::history::{Sample, Work};
use crate::domain::GRPC_FAULTS;

/// The histograms of requests that a server answered.
const REQUESTS: [&str; 2] =
    ["http_server_request_duration_seconds", "rpc_server_call_duration_seconds"];

/// The histogram of messages that a consumer handled.
const MESSAGES: &str = "messaging_process_duration_seconds";

/// The outcomes of messages that no handler processed: they were skipped, known already, or handled elsewhere. The recording
/// rules of Prometheus exclude them, too.
const NOT_HANDLED: [&str; 3] = ["skipped", "duplicate", "abandoned"];

/// What only the last scrape of a process says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Latest {
    pub(crate) version: Option<String>,
    /// The commit that it was built from.
    pub(crate) revision: Option<String>,
    /// Whether it is ready for traffic.
    pub(crate) ready: Option<bool>,
    /// The names of its raised conditions.
    pub(crate) degraded: Vec<String>,
}

/// The most conditions of a process: a service of the mesh has some five.
const MOST_CONDITIONS: usize = 32;
/// The most characters of a version or a condition's name.
const LONGEST_NAME: usize = 64;

impl Latest {
    fn add(&mut self, name: &str, labels: &str, value: f64) {
        let text = |wanted| label(labels, wanted).map(|text| printable(text, LONGEST_NAME));
        match name {
            "mesh_build_info" => {
                (self.version, self.revision) = (text("version"), text("revision"));
            }
            "mesh_ready" => self.ready = Some(value > 0.0),
            _ if value > 0.0 && self.degraded.len() < MOST_CONDITIONS => {
                self.degraded.extend(text("condition"));
            }
            _ => {}
        }
    }
}

/// The metrics that lens keeps of one process; lines that cannot be parsed are skipped.
pub(super) fn read(text: &str) -> (Sample, Latest) {
    let (mut sample, mut latest) = (Sample::default(), Latest::default());
    for (name, labels, value) in text.lines().filter(is_read).filter_map(series) {
        match name {
            "process_resident_memory_bytes" => sample.memory_bytes = Some(value),
            "process_cpu_seconds_total" => sample.cpu_seconds = Some(value),
            "process_start_time_seconds" => sample.started_seconds = Some(value),
            "mesh_consumer_lag" => *sample.consumer_lag.get_or_insert_default() += value,
            "mesh_build_info" | "mesh_ready" | "mesh_degraded" => latest.add(name, labels, value),
            _ => add_work(&mut sample, name, labels, value),
        }
    }
    (sample, latest)
}

/// Whether a line may have one of these metrics. Most lines have not, and to parse them would take most of the time of a scrape.
fn is_read(line: &&str) -> bool {
    let families = ["process_", "mesh_consumer_lag", "mesh_build_info", "mesh_ready"];
    let families = families.into_iter().chain(["mesh_degraded", MESSAGES]);
    families.chain(REQUESTS).any(|family| line.starts_with(family))
}

fn add_work(sample: &mut Sample, name: &str, labels: &str, value: f64) {
    let Some((family, part)) = name.rsplit_once('_') else { return };
    let outcome = label(labels, "outcome");
    let (work, is_error) = if REQUESTS.contains(&family) {
        (&mut sample.requests, is_failed_request(labels))
    } else if family == MESSAGES && outcome.is_none_or(|outcome| !NOT_HANDLED.contains(&outcome)) {
        (&mut sample.messages, outcome == Some("dead_lettered"))
    } else {
        return;
    };
    let work: &mut Work = work.get_or_insert_default();
    match part {
        "count" => {
            work.total += value;
            work.errors += if is_error { value } else { 0.0 };
        }
        "bucket" => {
            if let Some(bound) = label(labels, "le").and_then(number) {
                work.add_bucket(bound, value);
            }
        }
        _ => {}
    }
}

fn is_failed_request(labels: &str) -> bool {
    label(labels, "http_response_status_code").is_some_and(|status| status.starts_with('5'))
        || label(labels, "rpc_response_status_code")
            .is_some_and(|status| GRPC_FAULTS.contains(&status))
}

/// The name, labels (without braces) and value of one line.
fn series(line: &str) -> Option<(&str, &str, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => inside.split_at(end_of_labels(inside)?),
        None => ("", rest),
    };
    let value = rest.trim_start_matches('}').split_whitespace().next()?;
    Some((name, labels, number(value)?))
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        other => other.parse().ok(),
    }
}

/// The position of the closing brace: the first one outside quotes.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.bytes().position(|byte| {
        let was_escaped = std::mem::replace(&mut escaped, false);
        match byte {
            b'\\' if quoted && !was_escaped => escaped = true,
            b'"' if !was_escaped => quoted = !quoted,
            b'}' => return !quoted,
            _ => {}
        }
        false
    })
}

/// The value of a label, without unescaping: our own values need no escapes.
fn label<'a>(labels: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = labels;
    while let Some((name, after)) = rest.split_once("=\"") {
        let end = end_of_value(after)?;
        if name.trim_start_matches([',', ' ']) == wanted {
            return after.get(..end);
        }
        rest = after.get(end + 1..)?;
    }
    None
}

fn end_of_value(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP rpc_server_call_duration_seconds Seconds from a call's arrival to the end of its answer.
# TYPE rpc_server_call_duration_seconds histogram
rpc_server_call_duration_seconds_bucket{rpc_method="A",rpc_response_status_code="OK",le="0.005"} 90
rpc_server_call_duration_seconds_bucket{rpc_method="A",rpc_response_status_code="OK",le="+Inf"} 100
rpc_server_call_duration_seconds_sum{rpc_method="A",rpc_response_status_code="OK"} 0.3
rpc_server_call_duration_seconds_count{rpc_method="A",rpc_response_status_code="OK"} 100
rpc_server_call_duration_seconds_bucket{rpc_method="A",rpc_response_status_code="INTERNAL",le="0.005"} 2
rpc_server_call_duration_seconds_bucket{rpc_method="A",rpc_response_status_code="INTERNAL",le="+Inf"} 5
rpc_server_call_duration_seconds_count{rpc_method="A",rpc_response_status_code="INTERNAL"} 5
rpc_server_call_duration_seconds_count{rpc_method="A",rpc_response_status_code="NOT_FOUND"} 7
http_server_request_duration_seconds_count{http_route="/a}\"b",http_response_status_code="503"} 1 1712345678
messaging_process_duration_seconds_count{outcome="handled"} 3
messaging_process_duration_seconds_count{outcome="dead_lettered"} 1
messaging_process_duration_seconds_bucket{outcome="handled",le="0.005"} 1
messaging_process_duration_seconds_bucket{outcome="handled",le="+Inf"} 3
messaging_process_duration_seconds_bucket{outcome="skipped",le="0.005"} 900
messaging_process_duration_seconds_bucket{outcome="skipped",le="+Inf"} 900
messaging_process_duration_seconds_count{outcome="skipped"} 900
messaging_process_duration_seconds_count{outcome="duplicate"} 50
messaging_process_duration_seconds_count{outcome="abandoned"} 7
mesh_consumer_lag{topic="a",partition="0"} 4
mesh_consumer_lag{topic="a",partition="1"} 2
process_resident_memory_bytes 12345678
mesh_build_info{service="orders",version="0.1.0"} 1
mesh_ready 0
mesh_degraded{condition="kafka"} 1
mesh_degraded{condition="nats"} 0
this is not a metric
mesh_odd{unclosed="x 1
"#;

    #[test]
    fn the_numbers_that_matter_are_summed_over_labels() {
        let (sample, latest) = read(TEXT);
        let requests = sample.requests.unwrap();
        assert_eq!(
            (requests.total, requests.errors),
            (113.0, 6.0),
            "a caller's mistake is no fault"
        );
        assert_eq!(requests.buckets, [(0.005, 92.0), (f64::INFINITY, 105.0)]);
        let messages = sample.messages.unwrap();
        assert_eq!((messages.total, messages.errors), (4.0, 1.0), "what was handled, only");
        assert_eq!(messages.buckets, [(0.005, 1.0), (f64::INFINITY, 3.0)]);
        assert_eq!((sample.consumer_lag, sample.memory_bytes), (Some(6.0), Some(12_345_678.0)));
        assert_eq!(sample.started_seconds, None);
        assert_eq!((latest.version.as_deref(), latest.ready), (Some("0.1.0"), Some(false)));
        assert_eq!(latest.degraded, ["kafka"]);
    }

    #[test]
    fn labels_may_have_anything_in_quotes() {
        let line = r#"m{a="x,b=\"1\"}",b="2"} 3"#;
        let (name, labels, value) = series(line).unwrap();
        assert_eq!((name, label(labels, "b"), value), ("m", Some("2"), 3.0));
    }
}
