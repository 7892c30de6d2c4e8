//! The resources that the processes use.

use super::{latency, none_of, services};
use crate::{
    dashboard::Dashboard,
    panel::{Colour, Kind, Panel, Unit},
    queries::runtime,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "mesh-runtime",
        "Mesh / Runtime",
        "What the processes cost: processor, memory, the async runtime, the database, the cache.",
    )
    .variable(services())
    .row("The process", process())
    .row("What its container allows it", limits())
    .row("The async runtime", tokio())
    .row("Database and cache", database())
}

fn process() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Processor", "CPU cores in use. A service with one worker cannot use more than 1.")
            .ask(runtime::cpu(), "{{service}} {{instance}}")
            .unit(Unit::Times),
        Panel::new(Kind::Lines, "Memory", "Resident memory. About 15 MB of each process are the program's code, which all processes share.")
            .ask(runtime::memory(), "{{service}} {{instance}}")
            .unit(Unit::Bytes),
        Panel::new(Kind::Lines, "Open files", "The share of the allowed files and sockets that are open. If it never stops growing, connections leak.")
            .ask(runtime::files(), "{{service}} {{instance}}")
            .unit(Unit::Share)
            .thresholds(&[(0.8, Colour::Bad)]),
        Panel::new(Kind::Lines, "Threads", "Threads: one for the runtime, some for the Kafka client and for SQLite's checkpoints. If it grows, blocking work accumulates.")
            .ask(runtime::threads(), "{{service}} {{instance}}")
            .size(12, 7),
        none_of("Panics", "Panics that were caught in the selected time. Each is a bug: the log shows its place in the code.", format!("sum({})", runtime::panics())).size(6, 7),
        Panel::new(Kind::Stat, "Restarts", "Process starts in the selected time. If there are more than you caused, a process crashes; its log says why.")
            .ask(format!("sum({})", runtime::restarts()), "restarts")
            .decimals(0)
            .size(6, 7),
    ]
}

fn limits() -> Vec<Panel> {
    const WHO: &str = "{{service}} {{instance}}";
    vec![
        Panel::new(Kind::Lines, "Memory against limit", "Used memory as a share of the container's limit (of the machine's memory if there is no limit), without the caches that the kernel can free. At 100 % the kernel kills the process.")
            .ask(runtime::memory_of_limit(), WHO)
            .unit(Unit::Share)
            .thresholds(&[(0.9, Colour::Bad)]),
        Panel::new(Kind::Lines, "Processor against limit", "Used CPU as a share of the container's limit (of the machine's cores if there is no limit). Near 100 % threads wait for a core.")
            .ask(runtime::cpu_of_limit(), WHO)
            .unit(Unit::Share)
            .thresholds(&[(0.9, Colour::Bad)]),
        Panel::new(Kind::Lines, "CPU throttled", "The share of the scheduler's 100 ms periods in which the container had used its CPU quota and was paused. It is zero without a limit. Above a quarter, calls become noticeably slower.")
            .ask(runtime::cpu_throttled(), WHO)
            .unit(Unit::Share)
            .thresholds(&[(0.25, Colour::Bad)]),
        Panel::new(Kind::Lines, "Time lost to throttling", "Seconds per second for which threads of the container were paused because its CPU quota was used.")
            .ask(runtime::cpu_waiting(), WHO)
            .unit(Unit::Times)
            .size(18, 7),
        none_of("Killed for memory", "Processes that the kernel killed in the selected time because their container reached its memory limit, as far as another process of the container survived to report it. A killed service itself appears as a restart.", format!("sum({})", runtime::memory_kills())).size(6, 7),
    ]
}

fn tokio() -> Vec<Panel> {
    vec![
        Panel::new(
            Kind::Lines,
            "Busy",
            "The share of time in which workers are busy. Above 0.9 all latencies grow.",
        )
        .ask(runtime::busy(), "{{service}} {{instance}}")
        .unit(Unit::Share)
        .thresholds(&[(0.9, Colour::Bad)])
        .size(6, 8),
        Panel::new(
            Kind::Lines,
            "Tasks",
            "Tasks that have not ended. If it grows without load, tasks are spawned that never end.",
        )
        .ask(runtime::tasks(), "{{service}} {{instance}}")
        .size(6, 8),
        Panel::new(
            Kind::Lines,
            "Waiting tasks",
            "Tasks that wait for a worker. If it stays above zero, the runtime is saturated or blocked.",
        )
        .ask(runtime::queued(), "{{service}} {{instance}}")
        .size(6, 8),
        Panel::new(
            Kind::Lines,
            "Parks",
            "How often a worker had nothing to do. It falls to zero when the worker is never idle.",
        )
        .ask(runtime::parks(), "{{service}}")
        .unit(Unit::PerSecond)
        .size(6, 8),
    ]
}

fn database() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Transactions and reads", "Transactions and reads each second, by service and operation.")
            .ask(runtime::database(), "{{service}} {{db_operation_name}}")
            .unit(Unit::PerSecond),
        latency("How long they take", "From begin to commit. Above some milliseconds: the disk, or a lock.", runtime::database_latency, "{{service}} {{db_operation_name}}"),
        Panel::new(Kind::States, "Databases", "Whether the database of each service answers. If it does not, the service is not ready and its events wait.")
            .ask(runtime::database_up(), "{{service}}")
            .word(0, "away", Colour::Bad)
            .word(1, "answers", Colour::Good),
        Panel::new(Kind::Lines, "Connections in use", "The share of its database connections that a service uses at the moment of a scrape. It is normally near zero, since a transaction takes a millisecond. If all are in use for long, transactions wait for a connection.")
            .ask(runtime::pool(), "{{service}}")
            .unit(Unit::Share)
            .line(1.0, Colour::Bad)
            .size(12, 8),
        Panel::new(Kind::Stacked, "Cache", "Reads of the catalogue's cache by outcome. On errors the cache is unavailable, and the database answers instead.")
            .ask(runtime::cache(), "{{cache}} {{outcome}}")
            .unit(Unit::PerSecond)
            .colour("product hit", Colour::Good)
            .colour("page hit", Colour::Good)
            .colour("product miss", Colour::Pale)
            .colour("page miss", Colour::Neutral)
            .colour("product error", Colour::Bad)
            .colour("page error", Colour::Bad)
            .size(12, 8),
    ]
}
