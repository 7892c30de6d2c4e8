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
        Panel::new(Kind::Lines, "Lag", "Records on the broker that the group has not finished. If it grows, the group is too slow or stuck. If it stays above zero, one event is being retried or waits for a third party.")
            .ask(events::lag(), "{{topic}} → {{group}}"),
        Panel::new(Kind::Lines, "Age of the oldest", "The age of the oldest event that is being handled. Seconds mean a slow third party. Minutes mean that the event is being retried; its trace shows what fails.")
            .ask(events::oldest_age(), "{{topic}} → {{group}}")
            .unit(Unit::Seconds)
            .thresholds(&[(10.0, Colour::Warning), (60.0, Colour::Bad)]),
        latency("From published to handled", "What the events' readers feel. Grows with the lag; if it grows alone, handling itself is slow.", events::delay, "{{topic}} → {{group}}").line(slo::seconds(slo::EVENT_WITHIN), Colour::Bad),
        Panel::new(Kind::Heatmap, "From published to handled, all", "The same durations as a heat map. A second band above the first shows events that were retried.")
            .ask(events::delay_buckets(), "{{le}}")
            .unit(Unit::Seconds)
            .size(12, 8),
        Panel::new(Kind::Lines, "Lag by partition", "If one partition is above the others, one key holds it up or its consumer is gone.")
            .ask(events::lag_by_partition(), "{{topic}}/{{partition}} → {{group}}")
            .size(12, 8),
    ]
}

fn handling() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Published", "Events that the broker acknowledged. If it is zero while orders are placed, look at the outboxes below.")
            .ask(events::published(), "{{messaging_destination_name}}")
            .unit(Unit::PerSecond),
        Panel::new(Kind::Lines, "Handled", "Events that each group has finished. The line should follow the published events.")
            .ask(events::handled(), "{{messaging_destination_name}} → {{messaging_consumer_group_name}}")
            .unit(Unit::PerSecond),
        Panel::new(Kind::Stacked, "What became of them", "Events by outcome. Handled events had their effect; the group does not use the type of skipped ones; duplicates follow a crash; dead-lettered events were set aside.")
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
        Panel::new(Kind::Lines, "Retries", "Attempts after the first. If retries go on, something that the handler needs does not answer; the failing calls of the service show what.")
            .ask(events::retries(), "{{topic}} → {{service}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Dead letters", "Events that were set aside, by reason. If there are any, read them with `mesh dlq show`, remove the cause, then run `mesh dlq replay`.")
            .ask(events::dead_letter_rate(), "{{topic}} {{reason}}")
            .unit(Unit::PerSecond)
            .thresholds(&[(0.001, Colour::Bad)])
            .size(6, 8),
        Panel::new(Kind::Lines, "Duplicates", "Events that were delivered again and recognised by the inbox. Some are normal after a crash or a rebalance. If they go on, offsets are not committed.")
            .ask(events::duplicates(), "{{topic}} → {{service}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Partitions", "The number of partitions assigned to each replica. A step is a rebalance: a replica joined or left.")
            .ask(events::assigned(), "{{topic}} → {{group}} {{instance}}")
            .size(6, 8),
        none_of("Dead letters in all", "Events that were set aside in the selected time. `mesh dlq list` shows them and the group that could not handle them.", events::dead_letters()).size(8, 4),
        none_of("Records gone unread", "Records that the broker deleted before they were fetched. Each is lost data: the retention is too short for this lag.", format!("sum({})", events::gaps())).size(8, 4),
        Panel::new(Kind::Stat, "Rebalances", "Rebalances in the selected time. One for each start is normal. More without a deployment mean that consumers join and leave.")
            .ask(format!("sum({})", events::rebalances()), "rebalances")
            .decimals(0)
            .size(8, 4),
    ]
}

fn outbox() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Outbox", "Events that are committed and not yet sent. If it grows, the broker does not accept them. Nothing is lost: the relay sends them when the broker is back.")
            .ask(events::outbox(), "{{service}}"),
        Panel::new(Kind::Lines, "Age in the outbox", "The age of the oldest unsent event. Above a second, no relay is leader or the broker is unavailable.")
            .ask(events::outbox_age(), "{{service}}")
            .unit(Unit::Seconds)
            .thresholds(&[(1.0, Colour::Warning), (10.0, Colour::Bad)]),
        Panel::new(Kind::States, "Kafka", "Whether each service is connected to a broker. Without a connection, its events wait in the outbox and on the broker.")
            .ask(events::kafka_connected(), "{{service}}")
            .word(0, "away", Colour::Bad)
            .word(1, "connected", Colour::Good),
    ]
}

fn live() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Lines, "Live updates", "Updates published to NATS. Updates are lost while NATS is unavailable; browsers then read the order again.")
            .ask(events::live_sent(), "{{outcome}}")
            .unit(Unit::PerSecond)
            .colour("sent", Colour::Good)
            .colour("lost", Colour::Warning)
            .size(6, 8),
        Panel::new(Kind::Lines, "NATS messages", "Messages received and sent. If notifications sends more than the gateway receives, no browser watches those orders; this is not a fault.")
            .ask(events::nats_messages(), "{{service}} {{direction}}")
            .unit(Unit::PerSecond)
            .size(6, 8),
        Panel::new(Kind::Lines, "Open streams", "Live streams that are open at the gateway.")
            .ask(events::live_streams(), "{{instance}}")
            .size(6, 8),
        Panel::new(Kind::States, "NATS", "Whether each service is connected to NATS. Without a connection, live streams read the orders at intervals instead; orders are not affected.")
            .ask(events::nats_connected(), "{{service}}")
            .word(0, "away", Colour::Bad)
            .word(1, "connected", Colour::Good)
            .size(6, 8),
    ]
}
