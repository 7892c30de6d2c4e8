//! One service: what it is asked, what it asks others.

use super::{any, largest, largest_or_none, quantile, rate, renamed};

const HTTP: &str = "http_server_request_duration_seconds";
const RPC: &str = "rpc_server_call_duration_seconds";
const EVENT: &str = "messaging_process_duration_seconds";
const THIS: &str = "{service=~\"$service\"}";
/// The events that it had work with.
const EVENTS: &str = "{service=~\"$service\", outcome=~\"handled|dead_lettered\"}";
/// gRPC codes that are the server's fault.
const FAULTS: &str = "UNKNOWN|DEADLINE_EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS";

/// What is asked of the service each second, by operation.
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

/// What went wrong each second, by operation and how. Zero where nothing did.
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

/// What a share of what is asked took longer than, by operation.
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

/// Answers by status: HTTP's, gRPC's, and what became of events.
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

/// What the service asks others each second: calls, requests, messages, transactions.
pub fn calls() -> String {
    largest(&dependencies(|histogram, by| rate(&format!("{histogram}_count{THIS}"), by)))
}

/// What a share of that takes longer than.
pub fn call_latency(share: f64) -> String {
    largest(&dependencies(|histogram, by| quantile(share, &format!("{histogram}{THIS}"), by)))
}

/// Each kind of question to others, under one label.
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

/// Calls, requests and sends that failed each second. Zero where none did.
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

/// What is under way right now, by kind.
pub fn active() -> String {
    let kind = |gauge: &str, what: &str| renamed(&format!("sum({gauge}{THIS})"), "what", what, "");
    any(&[
        kind("http_server_active_requests", "requests"),
        kind("rpc_server_active_requests", "calls"),
        kind("mesh_consumer_lag", "events that wait"),
    ])
}

/// Replicas that answer.
pub fn replicas() -> String {
    format!("count(mesh_build_info{THIS})")
}

/// Seconds since the youngest replica began.
pub fn uptime() -> String {
    format!("time() - max(process_start_time_seconds{THIS})")
}

/// Log lines each second, by level.
pub fn log_lines() -> String {
    rate(&format!("mesh_log_lines_total{THIS}"), "level")
}

/// LogQL: what the service says, with what a reader looks for first behind each line.
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
