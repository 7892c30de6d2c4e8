//! One service: the requests it serves, the calls it makes, the resources it uses, its log lines.

use super::{latency, traces};
use crate::{
    dashboard::{Dashboard, Variable},
    panel::{Colour, Kind, Panel, Source, Unit},
    queries::{self, runtime, service},
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "mesh-service",
        "Mesh / Service",
        "One service: what it is asked, what it asks others, what it costs, what it says.",
    )
    .variable(Variable::one("service", "Service", queries::services(), "orders"))
    .row("What is it asked?", asked())
    .row("What does it ask others?", dependencies())
    .row("What does it cost?", saturation())
    .row("What does it say?", words())
}

fn asked() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Stat, "Replicas", "Processes of this service that Prometheus reaches. At zero the service is down, and the panels below show only the past.")
            .ask(service::replicas(), "replicas")
            .thresholds(&[(0.0, Colour::Bad), (1.0, Colour::Good)])
            .decimals(0)
            .size(5, 8),
        Panel::new(Kind::Stat, "Up for", "Time since the start of its youngest process. If it returns to seconds again and again, the process crashes; its log says why.")
            .ask(service::uptime(), "up for")
            .unit(Unit::Seconds)
            .size(5, 8),
        Panel::new(Kind::Lines, "Handled", "Requests, calls and events handled, by operation. An operation that stops while callers go on is stuck.")
            .ask(service::handled(), "{{operation}}")
            .unit(Unit::Requests)
            .size(7, 8),
        Panel::new(Kind::Stacked, "Answers", "Responses by HTTP status and gRPC code, and events by outcome. If several kinds of errors appear at once, look at the errors by operation below.")
            .ask(service::answers(), "{{status}}")
            .unit(Unit::Requests)
            .colour("200", Colour::Good)
            .colour("201", Colour::Good)
            .colour("202", Colour::Good)
            .colour("OK", Colour::Good)
            .colour("event handled", Colour::Neutral)
            .colour("event skipped", Colour::Quiet)
            .colour("event duplicate", Colour::Pale)
            .colour("event dead_lettered", Colour::Bad)
            .colour("event abandoned", Colour::Warning)
            .size(7, 8),
        Panel::new(Kind::Lines, "Errors", "Failures through the service's own fault, by operation. It is normally zero. Next, look at the dependencies of the same operation, then at the log.")
            .ask(service::errors(), "{{operation}} {{http_response_status_code}}{{rpc_response_status_code}}{{outcome}}")
            .unit(Unit::Requests)
            .size(12, 8),
        latency("How long it takes", "By operation. The diamonds are traces: click one. An event's handling counts all its attempts.", service::latency, "{{operation}}").size(12, 8),
    ]
}

fn dependencies() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Calls", "Calls, requests, messages and transactions that the service makes. If they increase at the same load, there are retries or cache misses.")
            .ask(service::calls(), "{{dependency}}")
            .unit(Unit::Requests),
        Panel::new(Kind::Lines, "Calls that fail", "Calls that ended with an error or without an answer. It is normally zero. Look at the service that was called.")
            .ask(service::call_errors(), "{{dependency}} {{rpc_response_status_code}}{{http_response_status_code}}{{outcome}}")
            .unit(Unit::Requests),
        Panel::new(Kind::Lines, "How long others take", "The 99th percentile of each dependency. The dependency that changes together with the service's own latency is the likely cause.")
            .ask_with_traces(service::call_latency(0.99), "{{dependency}}")
            .unit(Unit::Seconds)
            .logarithmic(),
    ]
}

fn saturation() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Processor", "CPU cores in use. Near 1 the service is saturated, since it has one async worker by default. `/debug/pprof/profile` then shows where the time goes.")
            .ask(runtime::cpu(), "{{instance}}")
            .unit(Unit::Times)
            .size(6, 7),
        Panel::new(Kind::Lines, "Memory", "Resident memory. About 15 MB are the program's code, which all services share. If it grows without load, there is a leak or a backlog.")
            .ask(runtime::memory(), "{{instance}}")
            .unit(Unit::Bytes)
            .size(6, 7),
        Panel::new(Kind::Lines, "Busy", "The share of time in which the runtime's workers are busy. Above 0.9 all tasks of the service wait for each other.")
            .ask(runtime::busy(), "{{instance}}")
            .unit(Unit::Share)
            .thresholds(&[(0.9, Colour::Bad)])
            .size(6, 7),
        Panel::new(Kind::Lines, "Under way", "Requests in flight and waiting events. If it grows, more arrives than is finished.")
            .ask(service::active(), "{{what}}")
            .size(6, 7),
    ]
}

fn words() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Stacked, "Log lines", "Log lines each second, by level. Each error is logged once, where it is handled, so each is worth reading.")
            .ask(service::log_lines(), "{{level}}")
            .unit(Unit::PerSecond)
            .colour("error", Colour::Bad)
            .colour("warn", Colour::Warning)
            .colour("info", Colour::Good)
            .size(8, 9),
        Panel::new(Kind::Logs, "Log", "The log, newest first. Open a line that belongs to a request and click to see its trace.")
            .question(Source::Loki(service::logs()), "")
            .size(16, 9),
        traces("Traces", "The latest traces that this service has a part in. Click an id to read the whole story.")
            .question(
                Source::Jaeger {
                    service: "$service".into(),
                    operation: String::new(),
                    longer_than: String::new(),
                },
                "",
            ),
    ]
}
