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
        Panel::new(Kind::Stat, "Replicas", "Processes of this service that Prometheus reaches. Zero: it is gone, and nothing below is new.")
            .ask(service::replicas(), "replicas")
            .thresholds(&[(0.0, Colour::Bad), (1.0, Colour::Good)])
            .decimals(0)
            .size(5, 8),
        Panel::new(Kind::Stat, "Up for", "Time since its youngest process began. Seconds, again and again: it dies and is started; its log says why.")
            .ask(service::uptime(), "up for")
            .unit(Unit::Seconds)
            .size(5, 8),
        Panel::new(Kind::Lines, "Handled", "What it handles, by operation. One that stops while callers go on asking is stuck.")
            .ask(service::handled(), "{{operation}}")
            .unit(Unit::Requests)
            .size(7, 8),
        Panel::new(Kind::Stacked, "Answers", "What it answers, by HTTP status, gRPC code, and what became of events. Many kinds at once: look at the errors by operation below.")
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
        Panel::new(Kind::Lines, "Errors", "What failed by the service's own fault, by operation. Zero in health. Next: the same operation's dependencies, then the log.")
            .ask(service::errors(), "{{operation}} {{http_response_status_code}}{{rpc_response_status_code}}{{outcome}}")
            .unit(Unit::Requests)
            .size(12, 8),
        latency("How long it takes", "By operation. The diamonds are traces: click one. An event's handling counts all its attempts.", service::latency, "{{operation}}").size(12, 8),
    ]
}

fn dependencies() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Calls", "Calls, requests, messages and transactions that it makes. More of them at the same load: retries, or a cache that misses.")
            .ask(service::calls(), "{{dependency}}")
            .unit(Unit::Requests),
        Panel::new(Kind::Lines, "Calls that fail", "Those that another answered with an error, or not at all. Zero in health: look at that other service.")
            .ask(service::call_errors(), "{{dependency}} {{rpc_response_status_code}}{{http_response_status_code}}{{outcome}}")
            .unit(Unit::Requests),
        Panel::new(Kind::Lines, "How long others take", "p99 of each dependency. The one that moved together with the service's own latency is the cause.")
            .ask_with_traces(service::call_latency(0.99), "{{dependency}}")
            .unit(Unit::Seconds)
            .logarithmic(),
    ]
}

fn saturation() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Processor", "Cores in use. Near 1 the service is at its end: it has one async worker unless it is told otherwise. Then: `/debug/pprof/profile`.")
            .ask(runtime::cpu(), "{{instance}}")
            .unit(Unit::Times)
            .size(6, 7),
        Panel::new(Kind::Lines, "Memory", "Resident memory; some 15 MB are the program, which all services share. Growing without load: a leak, or a backlog.")
            .ask(runtime::memory(), "{{instance}}")
            .unit(Unit::Bytes)
            .size(6, 7),
        Panel::new(Kind::Lines, "Busy", "How much of the time the runtime's workers work. Above 0.9 everything waits for everything.")
            .ask(runtime::busy(), "{{instance}}")
            .unit(Unit::Share)
            .thresholds(&[(0.9, Colour::Bad)])
            .size(6, 7),
        Panel::new(Kind::Lines, "Under way", "Requests being served, and events that wait. Growing: more comes in than goes out.")
            .ask(service::active(), "{{what}}")
            .size(6, 7),
    ]
}

fn words() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Stacked, "Log lines", "Lines each second, by level. Errors are written once, where they are handled: each is worth reading.")
            .ask(service::log_lines(), "{{level}}")
            .unit(Unit::PerSecond)
            .colour("error", Colour::Bad)
            .colour("warn", Colour::Warning)
            .colour("info", Colour::Good)
            .size(8, 9),
        Panel::new(Kind::Logs, "Log", "What it said, newest first. A line that belongs to a request has its trace: open the line, and click.")
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
