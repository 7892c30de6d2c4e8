//! Whether the data of the other dashboards can be trusted.

use super::none_of;
use crate::{
    dashboard::Dashboard,
    panel::{Colour, Kind, Panel, Unit},
    queries::telemetry,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "mesh-telemetry",
        "Mesh / Telemetry",
        "Whether what the other dashboards show can be believed: spans, logs, the Collector, scrapes, series.",
    )
    .row("Do the services tell everything?", services())
    .row("Does the Collector hand on everything?", collector())
    .row("Does Prometheus see everything?", prometheus())
    .row("What does lens remember?", lens())
    .row("What does watching cost?", cost())
}

fn services() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Stat, "Spans exported", "The share of started spans that were exported in the selected time. Below 100 % some are still queued or were dropped, which the panel beside shows.")
            .ask(telemetry::exported_share(), "exported")
            .unit(Unit::Share)
            .thresholds(&[(0.0, Colour::Bad), (0.95, Colour::Warning), (0.99, Colour::Good)])
            .size(6, 8),
        Panel::new(Kind::Lines, "Spans", "Spans started, exported and dropped. Spans are dropped when the Collector is unavailable or too slow; requests are not affected.")
            .ask(telemetry::spans(), "{{state}}")
            .unit(Unit::PerSecond)
            .colour("dropped", Colour::Bad)
            .size(6, 8),
        Panel::new(Kind::Lines, "Spans dropped", "Dropped spans by service. If one service drops spans, it cannot reach the Collector. If all do, the Collector is unavailable.")
            .ask(telemetry::spans_dropped(), "{{service}}")
            .unit(Unit::PerSecond)
            .thresholds(&[(0.001, Colour::Bad)])
            .size(6, 8),
        Panel::new(Kind::Lines, "Log records", "The same for log lines that are sent to Loki.")
            .ask(telemetry::log_records(), "{{state}}")
            .unit(Unit::PerSecond)
            .colour("dropped", Colour::Bad)
            .size(6, 8),
    ]
}

fn collector() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "In", "What the Collector receives. The line should follow what the services export.")
            .ask(telemetry::collector_in(), "{{what}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Out", "What the Collector sends to Jaeger and Loki. If it is less than it receives, it samples or exports fail.")
            .ask(telemetry::collector_out(), "{{what}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Lost", "What the Collector refused or could not export. It is normally zero.")
            .ask(telemetry::collector_lost(), "{{what}}")
            .unit(Unit::PerSecond)
            .thresholds(&[(0.001, Colour::Bad)])
            .size(6, 8),
        Panel::new(Kind::Lines, "Queues", "How full the export queues are. When a queue is full, Jaeger or Loki is too slow and further data is lost.")
            .ask(telemetry::collector_queue(), "{{exporter}}")
            .unit(Unit::Share)
            .thresholds(&[(0.8, Colour::Bad)])
            .size(6, 8),
    ]
}

fn prometheus() -> Vec<Panel> {
    vec![
        Panel::new(Kind::States, "Targets", "Whether each target answers scrapes. If it does not, its other lines end and say nothing about its state.")
            .ask(telemetry::up(), "{{job}}")
            .word(0, "away", Colour::Bad)
            .word(1, "answers", Colour::Good)
            .size(8, 9),
        Panel::new(Kind::Lines, "How long scrapes take", "The duration of scrapes. Above a second the values are old when they arrive.")
            .ask(telemetry::scrape_duration(), "{{job}}")
            .unit(Unit::Seconds)
            .size(8, 9),
        Panel::new(Kind::Lines, "Series, by target", "Series by target. If a line only grows, a metric has a label whose values come from requests: the table below shows it.")
            .ask(telemetry::samples(), "{{job}}")
            .size(8, 9),
        Panel::new(Kind::Table, "The largest metrics", "The metrics with the most series now.")
            .ask(telemetry::largest(), "series")
            .widths(&[("series", 80)])
            .size(8, 9),
        Panel::new(Kind::Lines, "How long rules take", "The duration of rule evaluations. Near the evaluation interval, alerts are late.")
            .ask(telemetry::rules_duration(), "{{rule_group}}")
            .unit(Unit::Seconds)
            .size(8, 9),
        Panel::new(Kind::Stat, "Series in memory", "All series that Prometheus has in memory now.")
            .ask(telemetry::series(), "series")
            .size(8, 9),
        none_of("Rules that failed", "Rule evaluations that failed in the selected time. If there are any, an alert may not fire.", telemetry::rules_failed()).size(8, 9),
    ]
}

fn lens() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Spans", "Spans that lens receives and evicts. It evicts the oldest when its memory is full; this is not a fault.")
            .ask(telemetry::lens_spans(), "{{what}}")
            .unit(Unit::PerSecond),
        Panel::new(Kind::Lines, "Memory", "The share of lens' memory that is in use. After some time under load it is normally full.")
            .ask(telemetry::lens_memory(), "in use")
            .unit(Unit::Share)
            .most(1.0),
        Panel::new(Kind::Lines, "Traces and lines", "The number of traces and log lines that lens keeps now.")
            .ask(telemetry::lens_remembers("traces"), "traces")
            .ask(telemetry::lens_remembers("log_lines"), "log lines"),
    ]
}

fn cost() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Memory of the parts", "Resident memory of the observability parts. Some of it is file cache that the kernel can free. If a part is near its limit for long, raise the limit or keep less data.")
            .ask(telemetry::memory_of_parts(), "{{job}}")
            .unit(Unit::Bytes)
            .size(12, 8),
        Panel::new(Kind::Lines, "Processor of the parts", "CPU cores in use by the observability parts. If they use more than the mesh itself, scrape less often or sample traces.")
            .ask(telemetry::cpu_of_parts(), "{{job}}")
            .unit(Unit::Times)
            .size(12, 8),
    ]
}
