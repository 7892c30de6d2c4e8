//! Kafka and NATS: messages sent, messages that wait, dead letters.

use super::{largest, largest_or_none, quantile, rate};

const THIS: &str = "{topic=~\"$topic\", group=~\"$group\"}";
const PROCESS: &str = "messaging_process_duration_seconds";
const SEND: &str = "messaging_client_operation_duration_seconds";
const WORKED: &str = "{messaging_destination_name=~\"$topic\", messaging_consumer_group_name=~\"$group\", outcome=~\"handled|dead_lettered\"}";

/// Lag in records, by topic and group.
pub fn lag() -> String {
    format!("sum by (topic, group) (mesh_consumer_lag{THIS})")
}

/// Lag in records, by partition.
pub fn lag_by_partition() -> String {
    let most = format!("max_over_time(mesh_consumer_lag{THIS}[$__range] @ end())");
    format!(
        "sum by (topic, group, partition) (mesh_consumer_lag{THIS})\nand topk(10, sum by (topic, group, partition) ({most}) > 0)\nor on () {}",
        super::none("topic")
    )
}

/// Age of the oldest record that a consumer has in flight.
pub fn oldest_age() -> String {
    format!("max by (topic, group) (mesh_consumer_oldest_age_seconds{THIS})")
}

/// From the publication of an event to the end of its handling: a quantile.
pub fn delay(share: f64) -> String {
    largest(&quantile(share, &format!("mesh_event_delay_seconds{THIS}"), "topic, group"))
}

/// The same for all events, as a heat map.
pub fn delay_buckets() -> String {
    super::buckets(&format!("mesh_event_delay_seconds{THIS}"))
}

/// Events published per second.
pub fn published() -> String {
    rate(
        &format!(
            "{SEND}_count{{messaging_destination_name=~\"$topic\", messaging_operation_name=\"send\"}}"
        ),
        "messaging_destination_name",
    )
}

/// Events handled per second, by group.
pub fn handled() -> String {
    rate(
        &format!("{PROCESS}_count{WORKED}"),
        "messaging_destination_name, messaging_consumer_group_name",
    )
}

/// Their outcomes.
pub fn outcomes() -> String {
    rate("mesh_events_total{topic=~\"$topic\", group=~\"$group\"}", "outcome")
}

/// How long handling takes: a quantile.
pub fn handling(share: f64) -> String {
    largest(&quantile(
        share,
        &format!("{PROCESS}{WORKED}"),
        "messaging_destination_name, messaging_consumer_group_name",
    ))
}

/// How long the broker takes to acknowledge: a quantile.
pub fn sending(share: f64) -> String {
    quantile(
        share,
        &format!(
            "{SEND}{{messaging_destination_name=~\"$topic\", messaging_operation_name=\"send\"}}"
        ),
        "messaging_destination_name",
    )
}

/// Attempts after the first, per second.
pub fn retries() -> String {
    let retries =
        rate("mesh_retries_total{topic=~\"$topic\", service=~\"$group\"}", "topic, service");
    largest_or_none(&retries, "topic")
}

/// Dead letters in the time range shown, of all topics.
pub fn dead_letters_of_all() -> String {
    "sum(increase(mesh_dead_letters_total[$__range]))".into()
}

/// Dead letters in the time range shown.
pub fn dead_letters() -> String {
    "sum(increase(mesh_dead_letters_total{topic=~\"$topic\"}[$__range]))".into()
}

/// Dead letters per second.
pub fn dead_letter_rate() -> String {
    let letters = rate("mesh_dead_letters_total{topic=~\"$topic\"}", "topic, reason");
    largest_or_none(&letters, "topic")
}

/// Duplicates per second: events that were delivered again.
pub fn duplicates() -> String {
    let duplicates = rate("mesh_duplicates_dropped_total{topic=~\"$topic\"}", "topic, service");
    largest_or_none(&duplicates, "topic")
}

/// Records that the broker deleted before the consumer read them.
pub fn gaps() -> String {
    super::increase("mesh_consumer_gap_records_total{topic=~\"$topic\"}", "topic, service")
}

/// How often a group rebalanced.
pub fn rebalances() -> String {
    super::increase("mesh_consumer_rebalances_total{group=~\"$group\"}", "group")
}

/// How many partitions each consumer is assigned.
pub fn assigned() -> String {
    format!("sum by (topic, group, instance) (mesh_consumer_assigned_partitions{THIS})")
}

/// Events that wait in an outbox.
pub fn outbox() -> String {
    "max by (service) (mesh_outbox_pending)".into()
}

/// How long the oldest of them has waited.
pub fn outbox_age() -> String {
    "max by (service) (mesh_outbox_oldest_age_seconds)".into()
}

/// Live messages sent per second.
pub fn live_sent() -> String {
    rate("mesh_notifications_updates_total", "outcome")
}

/// Live streams that browsers have open.
pub fn live_streams() -> String {
    "sum by (instance) (mesh_gateway_live_streams)".into()
}

/// Whether each service reaches Kafka.
pub fn kafka_connected() -> String {
    "min by (service) (mesh_kafka_connected)".into()
}

/// Messages over NATS, in and out.
pub fn nats_messages() -> String {
    rate("mesh_nats_messages_total", "service, direction")
}

/// Whether each service reaches NATS.
pub fn nats_connected() -> String {
    "min by (service) (mesh_nats_connected)".into()
}
