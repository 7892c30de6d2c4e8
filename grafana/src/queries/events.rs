//! Kafka and NATS: what was sent, what waits, what was set aside.

use super::{largest, largest_or_none, quantile, rate};

const THIS: &str = "{topic=~\"$topic\", group=~\"$group\"}";
const PROCESS: &str = "messaging_process_duration_seconds";
const SEND: &str = "messaging_client_operation_duration_seconds";
const WORKED: &str = "{messaging_destination_name=~\"$topic\", messaging_consumer_group_name=~\"$group\", outcome=~\"handled|dead_lettered\"}";

/// Records that wait, by topic and group.
pub fn lag() -> String {
    format!("sum by (topic, group) (mesh_consumer_lag{THIS})")
}

/// Records that wait, by partition.
pub fn lag_by_partition() -> String {
    let most = format!("max_over_time(mesh_consumer_lag{THIS}[$__range] @ end())");
    format!(
        "sum by (topic, group, partition) (mesh_consumer_lag{THIS})\nand topk(10, sum by (topic, group, partition) ({most}) > 0)\nor on () {}",
        super::none("topic")
    )
}

/// Age of the oldest record that somebody has in hand.
pub fn oldest_age() -> String {
    format!("max by (topic, group) (mesh_consumer_oldest_age_seconds{THIS})")
}

/// From publishing to having handled.
pub fn delay(share: f64) -> String {
    largest(&quantile(share, &format!("mesh_event_delay_seconds{THIS}"), "topic, group"))
}

/// The same, as a heat map over all.
pub fn delay_buckets() -> String {
    super::buckets(&format!("mesh_event_delay_seconds{THIS}"))
}

/// Events that were published each second.
pub fn published() -> String {
    rate(
        &format!(
            "{SEND}_count{{messaging_destination_name=~\"$topic\", messaging_operation_name=\"send\"}}"
        ),
        "messaging_destination_name",
    )
}

/// Events that were handled each second, by group.
pub fn handled() -> String {
    rate(
        &format!("{PROCESS}_count{WORKED}"),
        "messaging_destination_name, messaging_consumer_group_name",
    )
}

/// What became of them.
pub fn outcomes() -> String {
    rate("mesh_events_total{topic=~\"$topic\", group=~\"$group\"}", "outcome")
}

/// How long handling takes.
pub fn handling(share: f64) -> String {
    largest(&quantile(
        share,
        &format!("{PROCESS}{WORKED}"),
        "messaging_destination_name, messaging_consumer_group_name",
    ))
}

/// How long the broker takes to acknowledge.
pub fn sending(share: f64) -> String {
    quantile(
        share,
        &format!(
            "{SEND}{{messaging_destination_name=~\"$topic\", messaging_operation_name=\"send\"}}"
        ),
        "messaging_destination_name",
    )
}

/// Attempts after the first, each second.
pub fn retries() -> String {
    let retries =
        rate("mesh_retries_total{topic=~\"$topic\", service=~\"$group\"}", "topic, service");
    largest_or_none(&retries, "topic")
}

/// Events set aside, in the time shown, of any topic.
pub fn dead_letters_of_all() -> String {
    "sum(increase(mesh_dead_letters_total[$__range]))".into()
}

/// Events set aside, in the time shown.
pub fn dead_letters() -> String {
    "sum(increase(mesh_dead_letters_total{topic=~\"$topic\"}[$__range]))".into()
}

/// Events set aside, each second.
pub fn dead_letter_rate() -> String {
    let letters = rate("mesh_dead_letters_total{topic=~\"$topic\"}", "topic, reason");
    largest_or_none(&letters, "topic")
}

/// Events that came again, each second.
pub fn duplicates() -> String {
    let duplicates = rate("mesh_duplicates_dropped_total{topic=~\"$topic\"}", "topic, service");
    largest_or_none(&duplicates, "topic")
}

/// Records that were gone before anybody read them.
pub fn gaps() -> String {
    super::increase("mesh_consumer_gap_records_total{topic=~\"$topic\"}", "topic, service")
}

/// How often a group shared out its partitions anew.
pub fn rebalances() -> String {
    super::increase("mesh_consumer_rebalances_total{group=~\"$group\"}", "group")
}

/// Who reads how many partitions.
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

/// Live messages sent each second.
pub fn live_sent() -> String {
    rate("mesh_notifications_updates_total", "outcome")
}

/// Streams that are open in browsers.
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
