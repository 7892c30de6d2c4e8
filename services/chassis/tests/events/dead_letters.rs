//! A bad event blocks nobody and never disappears.

use rdkafka::{
    Message,
    message::{Headers, OwnedMessage},
};

use chassis::kafka::dead_letter;

use crate::{
    broker::{Broker, header},
    service::{Ledger, Plan, Service, until},
    traces::{request, spans},
};
use opentelemetry::trace::{FutureExt, Status, TraceContextExt};

async fn letter(broker: &Broker) -> OwnedMessage {
    until(async || broker.records("orders.events.dlq").len() == 1).await;
    broker.records("orders.events.dlq").remove(0)
}

async fn pair(folder: &std::path::Path, broker: &Broker) -> (Service, Service) {
    let orders = Plan::new("orders", folder, broker).start(|_, _| {}).await;
    let payments = Plan::new("payments", folder, broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    (orders, payments)
}

#[tokio::test]
async fn an_event_that_fails_again_and_again_is_set_aside() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let (orders, payments) = pair(folder.path(), &broker).await;
    let request = request("place");
    orders.publish("o-1", "down", 1).with_context(request.clone()).await;
    orders.publish("o-1", "ada", 2).await;
    assert_eq!(payments.until_applied(1).await, [("o-1".into(), 2)], "the order goes on");

    let letter = letter(&broker).await;
    assert_eq!(letter.key(), Some(&b"o-1"[..]));
    for (name, value) in [
        (dead_letter::REASON, "retries_exhausted"),
        (dead_letter::ERROR, "the third party does not answer"),
        (dead_letter::ATTEMPTS, "3"),
        (dead_letter::TOPIC, "orders.events"),
        (dead_letter::GROUP, "payments"),
        ("ce_type", "mesh.orders.v1.OrderPlaced"),
    ] {
        assert_eq!(header(&letter, name), Some(value), "{name}");
    }
    for name in [dead_letter::PARTITION, dead_letter::OFFSET, dead_letter::TIME, "ce_id"] {
        assert!(header(&letter, name).is_some(), "{name}");
    }
    let trace = request.span().span_context().trace_id();
    assert!(header(&letter, "traceparent").unwrap().contains(&trace.to_string()));
    until(async || spans(trace).iter().any(|span| span.name == "process orders.events")).await;
    let spans = spans(trace);
    let process = spans.iter().find(|span| span.name == "process orders.events").unwrap();
    assert!(matches!(process.status, Status::Error { .. }));
    assert_eq!(process.events.len(), 3, "each attempt is told");
    assert_eq!(payments.metric("mesh_retries_total", "orders.events"), 2.0);
    assert_eq!(payments.metric("mesh_dead_letters_total", "reason=\"retries_exhausted\""), 1.0);
    payments.drain().await;
    orders.drain().await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_set_aside_and_others_flow_on() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let (orders, payments) = pair(folder.path(), &broker).await;
    broker.send(
        "orders.events",
        "o-1",
        b"\xff\xff\xff",
        &[("ce_type", "mesh.orders.v1.OrderPlaced"), ("ce_id", "bad")],
    );
    orders.publish("o-1", "ada", 2).await;
    assert_eq!(payments.until_applied(1).await, [("o-1".into(), 2)]);
    let letter = letter(&broker).await;
    assert_eq!(header(&letter, dead_letter::REASON), Some("undecodable"));
    assert_eq!(
        (header(&letter, "ce_id"), letter.payload()),
        (Some("bad"), Some(&b"\xff\xff\xff"[..]))
    );
    until(async || broker.committed("payments", "orders.events") == 2).await;
    payments.drain().await;
    orders.drain().await;
}

#[tokio::test]
async fn an_event_that_is_refused_is_not_tried_again() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let (orders, payments) = pair(folder.path(), &broker).await;
    orders.publish("o-1", "reject", 1).await;
    let letter = letter(&broker).await;
    assert_eq!(header(&letter, dead_letter::REASON), Some("rejected"));
    assert_eq!(header(&letter, dead_letter::ATTEMPTS), Some("1"));
    assert_eq!(payments.ledger().await, [], "its transaction was rolled back");
    payments.drain().await;
    orders.drain().await;
}

#[tokio::test]
async fn a_handler_that_panics_ends_one_event_and_nothing_else() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let (orders, payments) = pair(folder.path(), &broker).await;
    orders.publish("o-1", "panic", 1).await;
    let letter = letter(&broker).await;
    assert_eq!(header(&letter, dead_letter::REASON), Some("panicked"));
    assert_eq!(header(&letter, dead_letter::ERROR), Some("panicked: out of order"));
    assert_eq!(payments.metric("mesh_panics_total", ""), 3.0);
    orders.publish("o-2", "ada", 1).await;
    payments.until_applied(1).await;
    payments.drain().await;
    orders.drain().await;
}

/// Replayed, a dead letter is for the group that could not handle it, and for no other.
#[tokio::test]
async fn a_replayed_letter_is_handled_by_its_group_alone() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let (orders, payments) = pair(folder.path(), &broker).await;
    let inventory = Plan::new("inventory", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    orders.publish("o-1", "reject", 1).await;
    until(async || broker.records("orders.events.dlq").len() == 2).await;
    let letters = broker.records("orders.events.dlq");
    let of = |group| move |one: &&OwnedMessage| header(one, dead_letter::GROUP) == Some(group);
    let letter = letters.iter().find(of("payments")).unwrap();

    // As `mesh dlq replay` does, with what was wrong mended.
    let headers = dead_letter::replayed(letter.headers().unwrap());
    let headers: Vec<_> = headers
        .as_borrowed()
        .iter()
        .map(|one| (one.key.to_owned(), String::from_utf8(one.value.unwrap().to_vec()).unwrap()))
        .collect();
    let headers: Vec<_> =
        headers.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mended = prost::Message::encode_to_vec(&crate::service::event("o-1", "ada", 1));
    broker.send("orders.events", "o-1", &mended, &headers);
    payments.until_applied(1).await;
    until(async || {
        inventory.metric("messaging_process_duration_seconds_count", "outcome=\"skipped\"") == 1.0
    })
    .await;
    assert_eq!(inventory.ledger().await, []);
    // Replayed twice, it is applied once.
    broker.send("orders.events", "o-1", &mended, &headers);
    until(async || payments.metric("mesh_duplicates_dropped_total", "orders.events") == 1.0).await;
    for service in [payments, inventory, orders] {
        service.drain().await;
    }
}
