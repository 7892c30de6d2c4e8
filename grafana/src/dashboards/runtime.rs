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
        Panel::new(Kind::Lines, "Processor", "Cores in use. A service with one worker ends at 1.")
            .ask(runtime::cpu(), "{{service}} {{instance}}")
            .unit(Unit::Times),
        Panel::new(Kind::Lines, "Memory", "Resident memory. Some 15 MB of each are the program, which all processes share.")
            .ask(runtime::memory(), "{{service}} {{instance}}")
            .unit(Unit::Bytes),
        Panel::new(Kind::Lines, "Open files", "The share of the allowed files and sockets that are open. Growing for ever: connections leak.")
            .ask(runtime::files(), "{{service}} {{instance}}")
            .unit(Unit::Share)
            .thresholds(&[(0.8, Colour::Bad)]),
        Panel::new(Kind::Lines, "Threads", "One for the runtime, some for the Kafka client and for SQLite's checkpoints. Growing: blocking work piles up.")
            .ask(runtime::threads(), "{{service}} {{instance}}")
            .size(12, 7),
        none_of("Panics", "Panics that were caught, in the time shown. Any is a bug; the log has its place.", format!("sum({})", runtime::panics())).size(6, 7),
        Panel::new(Kind::Stat, "Restarts", "Starts of processes in the time shown. More than you did yourself: something dies; its log says why.")
            .ask(format!("sum({})", runtime::restarts()), "restarts")
            .decimals(0)
            .size(6, 7),
    ]
}

fn limits() -> Vec<Panel> {
    const WHO: &str = "{{service}} {{instance}}";
    vec![
        Panel::new(Kind::Lines, "Memory against limit", "What is used of the memory that the container may use, without what the kernel can take back; of the machine's, where there is no limit. At 100 % the kernel kills it.")
            .ask(runtime::memory_of_limit(), WHO)
            .unit(Unit::Share)
            .thresholds(&[(0.9, Colour::Bad)]),
        Panel::new(Kind::Lines, "Processor against limit", "What is used of the cores that the container may use; of the machine's, where there is no limit. Near 100 % it waits for its turn.")
            .ask(runtime::cpu_of_limit(), WHO)
            .unit(Unit::Share)
            .thresholds(&[(0.9, Colour::Bad)]),
        Panel::new(Kind::Lines, "CPU throttled", "The share of the periods of 100 ms in which the container had used up its cores and stood still; zero where there is no limit. Above a quarter, calls take as much longer.")
            .ask(runtime::cpu_throttled(), WHO)
            .unit(Unit::Share)
            .thresholds(&[(0.25, Colour::Bad)]),
        Panel::new(Kind::Lines, "Time lost to throttling", "Seconds each second for which threads of the container stood still because it had used up its cores.")
            .ask(runtime::cpu_waiting(), WHO)
            .unit(Unit::Times)
            .size(18, 7),
        none_of("Killed for memory", "Processes that were killed because their container reached its limit of memory, in the time shown, as far as one of the container lived on to tell. A service that is killed itself shows as a restart.", format!("sum({})", runtime::memory_kills())).size(6, 7),
    ]
}

fn tokio() -> Vec<Panel> {
    vec![
        Panel::new(
            Kind::Lines,
            "Busy",
            "How much of the time workers work. Above 0.9 latency grows for everybody.",
        )
        .ask(runtime::busy(), "{{service}} {{instance}}")
        .unit(Unit::Share)
        .thresholds(&[(0.9, Colour::Bad)])
        .size(6, 8),
        Panel::new(
            Kind::Lines,
            "Tasks",
            "Tasks that have not ended. Growing without load: something is spawned and never ends.",
        )
        .ask(runtime::tasks(), "{{service}} {{instance}}")
        .size(6, 8),
        Panel::new(
            Kind::Lines,
            "Waiting tasks",
            "Tasks that wait for a worker. Above zero for long: the runtime is saturated, or something blocks it.",
        )
        .ask(runtime::queued(), "{{service}} {{instance}}")
        .size(6, 8),
        Panel::new(
            Kind::Lines,
            "Parks",
            "How often a worker found nothing to do. Falls to zero when it is never idle.",
        )
        .ask(runtime::parks(), "{{service}}")
        .unit(Unit::PerSecond)
        .size(6, 8),
    ]
}

fn database() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Transactions and reads", "By service and operation.")
            .ask(runtime::database(), "{{service}} {{db_operation_name}}")
            .unit(Unit::PerSecond),
        latency("How long they take", "From begin to commit. Above some milliseconds: the disk, or a lock.", runtime::database_latency, "{{service}} {{db_operation_name}}"),
        Panel::new(Kind::States, "Databases", "Whether each service's own database answers. Not: the service is not ready, and its events wait.")
            .ask(runtime::database_up(), "{{service}}")
            .word(0, "away", Colour::Bad)
            .word(1, "answers", Colour::Good),
        Panel::new(Kind::Lines, "Connections in use", "The share of the connections to its database that each service uses at the moment of a scrape. Near zero in health, since a transaction takes a millisecond. All of them for long: transactions wait for one.")
            .ask(runtime::pool(), "{{service}}")
            .unit(Unit::Share)
            .line(1.0, Colour::Bad)
            .size(12, 8),
        Panel::new(Kind::Stacked, "Cache", "Questions to the catalogue's cache. Errors: it is away, and the database answers instead.")
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
