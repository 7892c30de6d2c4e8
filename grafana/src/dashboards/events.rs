//! Kafka and NATS: messages sent, messages that wait, dead letters.

use super::{latency, none_of};
use crate::{
    dashboard::{Dashboard, Variable},
    panel::{Colour, Kind, Panel, Unit},
    queries::{self, events},
    slo,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "mesh-events",
        "Mesh / Events",
        "What goes over Kafka and NATS: what was sent, what waits, what came twice, what was set aside.",
    )
    .variable(Variable::any("topic", "Topic", queries::topics()))
    .variable(Variable::any("group", "Group", queries::groups()))
    .row("Does anything wait?", waiting())
    .row("Is it handled?", handling())
    .row("What goes wrong?", trouble())
    .row("Are all events sent?", outbox())
    .row("Do browsers hear of it?", live())
}

fn waiting() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Lag", "Records on the broker that the group has not done with. Growing: it is too slow or stuck. Flat above zero: one event is retried, or waits for a third party.")
            .ask(events::lag(), "{{topic}} → {{group}}"),
        Panel::new(Kind::Lines, "Age of the oldest", "How long the oldest event in hand has waited. Seconds: a slow third party. Minutes: it is retried; its trace says what fails.")
            .ask(events::oldest_age(), "{{topic}} → {{group}}")
            .unit(Unit::Seconds)
            .thresholds(&[(10.0, Colour::Warning), (60.0, Colour::Bad)]),
        latency("From published to handled", "What the events' readers feel. Grows with the lag; if it grows alone, handling itself is slow.", events::delay, "{{topic}} → {{group}}").line(slo::seconds(slo::EVENT_WITHIN), Colour::Bad),
        Panel::new(Kind::Heatmap, "From published to handled, all", "The same as a heat map: a second band above the first are the events that were retried.")
            .ask(events::delay_buckets(), "{{le}}")
            .unit(Unit::Seconds)
            .size(12, 8),
        Panel::new(Kind::Lines, "Lag by partition", "One partition above the others: one key holds it up, or its reader is gone.")
            .ask(events::lag_by_partition(), "{{topic}}/{{partition}} → {{group}}")
            .size(12, 8),
    ]
}

fn handling() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Published", "Events acknowledged by the broker. Zero while orders are placed: see the outboxes below.")
            .ask(events::published(), "{{messaging_destination_name}}")
            .unit(Unit::PerSecond),
        Panel::new(Kind::Lines, "Handled", "Events that each group is done with. It should follow what is published.")
            .ask(events::handled(), "{{messaging_destination_name}} → {{messaging_consumer_group_name}}")
            .unit(Unit::PerSecond),
        Panel::new(Kind::Stacked, "What became of them", "Handled is good; skipped means nobody here wants that type; duplicates come after a crash; dead-lettered ones were set aside.")
            .ask(events::outcomes(), "{{outcome}}")
            .unit(Unit::PerSecond)
            .colour("handled", Colour::Good)
            .colour("dead_lettered", Colour::Bad)
            .colour("abandoned", Colour::Warning)
            .colour("skipped", Colour::Quiet),
        latency("How long handling takes", "With all attempts. Payments waits for the third party here.", events::handling, "{{messaging_destination_name}} → {{messaging_consumer_group_name}}").size(12, 8),
        latency("How long the broker takes", "From handing an event to the client to its acknowledgement by all replicas.", events::sending, "{{messaging_destination_name}}").size(12, 8),
    ]
}

fn trouble() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Retries", "Attempts after the first. Steady: something they need is away; the service's failing calls say what.")
            .ask(events::retries(), "{{topic}} → {{service}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Dead letters", "Events set aside, by reason. Any: `mesh dlq show`, mend the cause, `mesh dlq replay`.")
            .ask(events::dead_letter_rate(), "{{topic}} {{reason}}")
            .unit(Unit::PerSecond)
            .thresholds(&[(0.001, Colour::Bad)])
            .size(6, 8),
        Panel::new(Kind::Lines, "Duplicates", "Events that came again and were known. Some after every crash or rebalance: that is the inbox at work. Steady: offsets are not committed.")
            .ask(events::duplicates(), "{{topic}} → {{service}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Partitions", "Who reads how many. A step: the group shared them out anew because a replica came or went.")
            .ask(events::assigned(), "{{topic}} → {{group}} {{instance}}")
            .size(6, 8),
        none_of("Dead letters in all", "Events set aside in the time shown. Any: `mesh dlq list` shows them, and who could not handle them.", events::dead_letters()).size(8, 4),
        none_of("Records gone unread", "Records that the broker dropped before they were fetched. Any is lost data: its retention is too short for this lag.", format!("sum({})", events::gaps())).size(8, 4),
        Panel::new(Kind::Stat, "Rebalances", "How often groups shared out their partitions, in the time shown. One a start is normal; more without a deploy: consumers come and go.")
            .ask(format!("sum({})", events::rebalances()), "rebalances")
            .decimals(0)
            .size(8, 4),
    ]
}

fn outbox() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Outbox", "Events committed and not yet sent. Growing: the broker does not take them. Nothing is lost: they are sent when it is back.")
            .ask(events::outbox(), "{{service}}"),
        Panel::new(Kind::Lines, "Age in the outbox", "How long the oldest event has waited. Above a second: no relay leads, or the broker is away.")
            .ask(events::outbox_age(), "{{service}}")
            .unit(Unit::Seconds)
            .thresholds(&[(1.0, Colour::Warning), (10.0, Colour::Bad)]),
        Panel::new(Kind::States, "Kafka", "Whether each service is connected to a broker. Not: its events wait, in the outbox and on the broker.")
            .ask(events::kafka_connected(), "{{service}}")
            .word(0, "away", Colour::Bad)
            .word(1, "connected", Colour::Good),
    ]
}

fn live() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Live updates", "Updates handed to NATS. Lost ones went nowhere because NATS was away: browsers read the order again instead.")
            .ask(events::live_sent(), "{{outcome}}")
            .unit(Unit::PerSecond)
            .colour("sent", Colour::Good)
            .colour("lost", Colour::Warning)
            .size(6, 8),
        Panel::new(Kind::Lines, "NATS messages", "In and out. What notifications sends and the gateway does not receive: nobody listens to it, which is no fault.")
            .ask(events::nats_messages(), "{{service}} {{direction}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Open streams", "Live streams that the gateway serves.")
            .ask(events::live_streams(), "{{instance}}")
            .size(6, 8),
        Panel::new(Kind::States, "NATS", "Whether each service is connected. Not: live streams fall back to reading; orders flow on.")
            .ask(events::nats_connected(), "{{service}}")
            .word(0, "away", Colour::Bad)
            .word(1, "connected", Colour::Good)
            .size(6, 8),
    ]
}
