//! One service: the requests it serves, the calls it makes.

use super::{any, largest, largest_or_none, quantile, rate, renamed};

const HTTP: &str = "http_server_request_duration_seconds";
const RPC: &str = "rpc_server_call_duration_seconds";
const EVENT: &str = "messaging_process_duration_seconds";
const THIS: &str = "{service=~\"$service\"}";
/// The outcomes of events that the service worked on.
const EVENTS: &str = "{service=~\"$service\", outcome=~\"handled|dead_lettered\"}";
/// gRPC codes that are the server's fault.
const FAULTS: &str = "UNKNOWN|DEADLINE_EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS";

/// Requests that the service handles per second, by operation.
pub fn handled() -> String {
    largest(&any(&[
        renamed(
            &rate(&format!("{HTTP}_count{THIS}"), "http_request_method, http_route"),
            "operation",
            "",
            "http_route",
        ),
        renamed(&rate(&format!("{RPC}_count{THIS}"), "rpc_method"), "operation", "", "rpc_method"),
        renamed(
            &rate(&format!("{EVENT}_count{EVENTS}"), "messaging_destination_name"),
            "operation",
            "process ",
            "messaging_destination_name",
        ),
    ]))
}

/// Errors per second, by operation and kind. Zero where there were none.
pub fn errors() -> String {
    let http = format!("{HTTP}_count{{service=~\"$service\", http_response_status_code=~\"5..\"}}");
    let rpc =
        format!("{RPC}_count{{service=~\"$service\", rpc_response_status_code=~\"{FAULTS}\"}}");
    let event =
        format!("{EVENT}_count{{service=~\"$service\", outcome=~\"dead_lettered|abandoned\"}}");
    let errors = any(&[
        renamed(
            &rate(&http, "http_route, http_response_status_code"),
            "operation",
            "",
            "http_route",
        ),
        renamed(&rate(&rpc, "rpc_method, rpc_response_status_code"), "operation", "", "rpc_method"),
        renamed(
            &rate(&event, "messaging_destination_name, outcome"),
            "operation",
            "process ",
            "messaging_destination_name",
        ),
    ]);
    largest_or_none(&errors, "operation")
}

/// How long requests take, by operation: a quantile.
pub fn latency(share: f64) -> String {
    largest(&any(&[
        renamed(
            &quantile(share, &format!("{HTTP}{THIS}"), "http_route"),
            "operation",
            "",
            "http_route",
        ),
        renamed(
            &quantile(share, &format!("{RPC}{THIS}"), "rpc_method"),
            "operation",
            "",
            "rpc_method",
        ),
        renamed(
            &quantile(share, &format!("{EVENT}{EVENTS}"), "messaging_destination_name"),
            "operation",
            "process ",
            "messaging_destination_name",
        ),
    ]))
}

/// Responses by status: HTTP status, gRPC code, and outcomes of events.
pub fn answers() -> String {
    any(&[
        renamed(
            &rate(&format!("{HTTP}_count{THIS}"), "http_response_status_code"),
            "status",
            "",
            "http_response_status_code",
        ),
        renamed(
            &rate(&format!("{RPC}_count{THIS}"), "rpc_response_status_code"),
            "status",
            "",
            "rpc_response_status_code",
        ),
        renamed(
            &rate(&format!("mesh_events_total{THIS}"), "outcome"),
            "status",
            "event ",
            "outcome",
        ),
    ])
}

/// Calls that the service makes per second: gRPC, HTTP, messages, transactions.
pub fn calls() -> String {
    largest(&dependencies(|histogram, by| rate(&format!("{histogram}_count{THIS}"), by)))
}

/// How long these calls take: a quantile.
pub fn call_latency(share: f64) -> String {
    largest(&dependencies(|histogram, by| quantile(share, &format!("{histogram}{THIS}"), by)))
}

/// The queries of each kind of dependency, under one label.
fn dependencies(ask: impl Fn(&str, &str) -> String) -> String {
    let kinds = [
        ("rpc_client_call_duration_seconds", "rpc_method", ""),
        ("http_client_request_duration_seconds", "server_address", "http "),
        ("messaging_client_operation_duration_seconds", "messaging_destination_name", "send "),
        ("db_client_operation_duration_seconds", "db_operation_name", "db "),
    ];
    any(&kinds
        .map(|(histogram, by, prefix)| renamed(&ask(histogram, by), "dependency", prefix, by)))
}

/// Calls, requests and sends that failed per second. Zero where there were none.
pub fn call_errors() -> String {
    let rpc = "rpc_client_call_duration_seconds_count{service=~\"$service\", rpc_response_status_code!~\"OK|NOT_FOUND|ALREADY_EXISTS|FAILED_PRECONDITION\"}";
    let http = "http_client_request_duration_seconds_count{service=~\"$service\", error_type!=\"cancelled\", http_response_status_code!~\"[234]..\"}";
    let send =
        "messaging_client_operation_duration_seconds_count{service=~\"$service\", outcome!=\"ok\"}";
    let errors = any(&[
        renamed(&rate(rpc, "rpc_method, rpc_response_status_code"), "dependency", "", "rpc_method"),
        renamed(
            &rate(http, "server_address, http_response_status_code"),
            "dependency",
            "http ",
            "server_address",
        ),
        renamed(
            &rate(send, "messaging_destination_name, outcome"),
            "dependency",
            "send ",
            "messaging_destination_name",
        ),
    ]);
    largest_or_none(&errors, "dependency")
}

/// Requests and calls in flight, and events that wait, by kind.
pub fn active() -> String {
    let kind = |gauge: &str, what: &str| renamed(&format!("sum({gauge}{THIS})"), "what", what, "");
    any(&[
        kind("http_server_active_requests", "requests"),
        kind("rpc_server_active_requests", "calls"),
        kind("mesh_consumer_lag", "events that wait"),
    ])
}

/// Replicas that are up.
pub fn replicas() -> String {
    format!("count(mesh_build_info{THIS})")
}

/// Seconds since the youngest replica started.
pub fn uptime() -> String {
    format!("time() - max(process_start_time_seconds{THIS})")
}

/// Log lines per second, by level.
pub fn log_lines() -> String {
    rate(&format!("mesh_log_lines_total{THIS}"), "level")
}

/// LogQL: the log lines of the service, each followed by the fields that a reader looks for first.
pub fn logs() -> String {
    let with =
        |field: &str, name: &str| format!("{{{{with .{field}}}}} {name}={{{{.}}}}{{{{end}}}}");
    let fields = [
        ("order_status", "status"),
        ("reason", "reason"),
        ("error", "error"),
        ("order_id", "order"),
    ];
    let fields: String = fields.map(|(field, name)| with(field, name)).concat();
    format!("{{service_name=~\"$service\"}} | line_format \"{{{{__line__}}}}{fields}\"")
}
