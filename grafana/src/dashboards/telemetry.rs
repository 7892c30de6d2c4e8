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
        Panel::new(Kind::Stat, "Spans exported", "Of those that were started, in the time shown. Below 100 %: some are on their way, or were dropped, which the panel beside shows.")
            .ask(telemetry::exported_share(), "exported")
            .unit(Unit::Share)
            .thresholds(&[(0.0, Colour::Bad), (0.95, Colour::Warning), (0.99, Colour::Good)])
            .size(6, 8),
        Panel::new(Kind::Lines, "Spans", "Started, exported, dropped. Dropped ones are counted and cost no request: the Collector is away, or too slow.")
            .ask(telemetry::spans(), "{{state}}")
            .unit(Unit::PerSecond)
            .colour("dropped", Colour::Bad)
            .size(6, 8),
        Panel::new(Kind::Lines, "Spans dropped", "By service. One service: it cannot reach the Collector. All: the Collector is away.")
            .ask(telemetry::spans_dropped(), "{{service}}")
            .unit(Unit::PerSecond)
            .thresholds(&[(0.001, Colour::Bad)])
            .size(6, 8),
        Panel::new(Kind::Lines, "Log records", "The same for log lines on their way to Loki.")
            .ask(telemetry::log_records(), "{{state}}")
            .unit(Unit::PerSecond)
            .colour("dropped", Colour::Bad)
            .size(6, 8),
    ]
}

fn collector() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "In", "What the Collector takes in. It should follow what the services export.")
            .ask(telemetry::collector_in(), "{{what}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Out", "What it hands on to Jaeger and Loki. Less than comes in: it samples, or it fails.")
            .ask(telemetry::collector_out(), "{{what}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Lost", "What it refused or could not hand on. Zero in health.")
            .ask(telemetry::collector_lost(), "{{what}}")
            .unit(Unit::PerSecond)
            .thresholds(&[(0.001, Colour::Bad)])
            .size(6, 8),
        Panel::new(Kind::Lines, "Queues", "How full they are. Full: Jaeger or Loki does not keep up, and what comes next is lost.")
            .ask(telemetry::collector_queue(), "{{exporter}}")
            .unit(Unit::Share)
            .thresholds(&[(0.8, Colour::Bad)])
            .size(6, 8),
    ]
}

fn prometheus() -> Vec<Panel> {
    vec![
        Panel::new(Kind::States, "Targets", "Whether each answers scrapes. Away: its lines end there, and say nothing about how it is.")
            .ask(telemetry::up(), "{{job}}")
            .word(0, "away", Colour::Bad)
            .word(1, "answers", Colour::Good)
            .size(8, 9),
        Panel::new(Kind::Lines, "How long scrapes take", "Above a second the numbers are old when they arrive.")
            .ask(telemetry::scrape_duration(), "{{job}}")
            .unit(Unit::Seconds)
            .size(8, 9),
        Panel::new(Kind::Lines, "Series, by target", "A line that only grows has a label with a value from a request: find it in the table below.")
            .ask(telemetry::samples(), "{{job}}")
            .size(8, 9),
        Panel::new(Kind::Table, "The largest metrics", "Those with the most series, now.")
            .ask(telemetry::largest(), "series")
            .widths(&[("series", 80)])
            .size(8, 9),
        Panel::new(Kind::Lines, "How long rules take", "Near the interval at which they run, alerts come late.")
            .ask(telemetry::rules_duration(), "{{rule_group}}")
            .unit(Unit::Seconds)
            .size(8, 9),
        Panel::new(Kind::Stat, "Series in memory", "All series that Prometheus keeps in memory now.")
            .ask(telemetry::series(), "series")
            .size(8, 9),
        none_of("Rules that failed", "Evaluations that failed in the time shown. Any: an alert may be blind.", telemetry::rules_failed()).size(8, 9),
    ]
}

fn lens() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Spans", "What lens is sent, and what it forgot for it. It forgets the oldest when its memory is full: that is no fault.")
            .ask(telemetry::lens_spans(), "{{what}}")
            .unit(Unit::PerSecond),
        Panel::new(Kind::Lines, "Memory", "How much of its memory is in use. Full is normal after a while under load.")
            .ask(telemetry::lens_memory(), "in use")
            .unit(Unit::Share)
            .most(1.0),
        Panel::new(Kind::Lines, "Traces and lines", "How many it remembers now.")
            .ask(telemetry::lens_remembers("traces"), "traces")
            .ask(telemetry::lens_remembers("log_lines"), "log lines"),
    ]
}

fn cost() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Memory of the parts", "Resident memory of what watches the mesh. Some of it are files that the kernel takes back when it needs to; near its limit for long: give the part more, or keep less.")
            .ask(telemetry::memory_of_parts(), "{{job}}")
            .unit(Unit::Bytes)
            .size(12, 8),
        Panel::new(Kind::Lines, "Processor of the parts", "Cores in use by what watches the mesh. More than the mesh itself: scrape less often, or sample.")
            .ask(telemetry::cpu_of_parts(), "{{job}}")
            .unit(Unit::Times)
            .size(12, 8),
    ]
}
