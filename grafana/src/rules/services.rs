//! Recorded series of each service: requests, errors, durations. HTTP requests, gRPC calls and Kafka events all count as
//! requests.

use super::{Group, Recording, Rule};

/// Every service, by its value of the label `service`.
pub fn services() -> Vec<&'static str> {
    registry::SERVICES.iter().map(|one| one.name).collect()
}

/// Short, so that a fault made in a demonstration shows at once; still two scrapes if they are 30 s apart.
const WINDOW: &str = "1m";

/// The events that a service worked on. Events that it does not need or has handled before are skipped in no time, and an
/// abandoned event is handled elsewhere.
pub const WORKED: &str = r#"outcome=~"handled|dead_lettered""#;

/// A histogram of requests: which of its series count, and which are errors.
struct Requests {
    histogram: &'static str,
    counted: &'static str,
    failed: &'static str,
}

/// Only the service's own errors count: for gRPC, the codes that make a server span an error.
/// <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/#grpc-status>
const REQUESTS: [Requests; 3] = [
    Requests {
        histogram: "http_server_request_duration_seconds",
        counted: r#"service!="""#,
        failed: r#"http_response_status_code=~"5..""#,
    },
    Requests {
        histogram: "rpc_server_call_duration_seconds",
        counted: r#"service!="""#,
        failed: r#"rpc_response_status_code=~"UNKNOWN|DEADLINE_EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS""#,
    },
    Requests {
        histogram: "messaging_process_duration_seconds",
        counted: WORKED,
        failed: r#"outcome="dead_lettered""#,
    },
];

pub(super) fn groups() -> Vec<Group> {
    let rules = vec![
        recorded("service:up:max", up()),
        recorded(
            "service:requests:rate1m",
            sum(|of| format!("{}_count{{{}}}", of.histogram, of.counted)),
        ),
        recorded(
            "service:errors:rate1m",
            sum(|of| format!("{}_count{{{}}}", of.histogram, of.failed)),
        ),
        recorded(
            "service:error_ratio:rate1m",
            "service:errors:rate1m / (service:requests:rate1m > 0)\nor service:errors:rate1m"
                .into(),
        ),
        recorded("service:latency:p99_1m", p99()),
    ];
    vec![Group { name: "services".into(), interval: None, rules }]
}

fn recorded(name: &str, expr: String) -> Rule {
    Rule::Recording(Recording { record: name.into(), expr, labels: [].into() })
}

fn rates(series: impl Fn(&Requests) -> String) -> String {
    REQUESTS.map(|of| format!("rate({}[{WINDOW}])", series(&of))).join("\n  or ")
}

/// 1 while any process of a service is up, 0 while none is. Each service is listed by name, since one that is gone has no
/// series.
fn up() -> String {
    let name = |service: &&str| {
        format!("label_replace(vector(0), \"service\", \"{service}\", \"\", \"\")")
    };
    let names = services().iter().map(name).collect::<Vec<_>>().join("\nor ");
    format!("max by (service) (up{{service=~\"{}\"}})\nor {names}", services().join("|"))
}

/// The sum by service; 0 for a service that gets no requests, or that is absent.
fn sum(series: impl Fn(&Requests) -> String) -> String {
    let names = services().join("|");
    let idle = format!("0 * sum by (service) (up{{service=~\"{names}\"}})");
    format!("sum by (service) (\n  {}\n)\nor {idle}", rates(series))
}

/// The 99th percentile; no series without requests.
fn p99() -> String {
    let rates = rates(|of| format!("{}_bucket{{{}}}", of.histogram, of.counted));
    format!("histogram_quantile(0.99, sum by (service, le) (\n  {rates}\n)) >= 0")
}
