//! An event that cannot be handled blocks no other event and never disappears.

use rdkafka::{
    Message,
    message::{Headers, OwnedMessage},
};

use chassis::events::dead_letter;

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
    let orders = Plan::new("orders", folder, broker).start_without_handlers().await;
    let payments = Plan::new("payments", folder, broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    (orders, payments)
}

#[tokio::test]
async fn an_event_whose_retries_are_exhausted_becomes_a_dead_letter() {
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
    assert_eq!(process.events.len(), 3, "each attempt is an event of the span");
    assert_eq!(payments.metric("mesh_retries_total", "orders.events"), 2.0);
    assert_eq!(payments.metric("mesh_dead_letters_total", "reason=\"retries_exhausted\""), 1.0);
    payments.drain().await;
    orders.drain().await;
}

#[tokio::test]
async fn an_undecodable_event_becomes_a_dead_letter_and_others_are_applied() {
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
async fn a_rejected_event_is_not_retried() {
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
async fn a_panic_of_a_handler_makes_a_dead_letter_of_its_event_alone() {
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

/// A replayed dead letter is only handled by the group that could not handle it.
#[tokio::test]
async fn a_replayed_dead_letter_is_handled_by_its_group_alone() {
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

    // As `mesh dlq replay` does, but with the payload corrected.
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
    until(async || inventory.metric("mesh_events_total", "outcome=\"skipped\"") == 1.0).await;
    assert_eq!(inventory.ledger().await, []);
    // Replayed a second time, it is not applied again.
    broker.send("orders.events", "o-1", &mended, &headers);
    until(async || payments.metric("mesh_duplicates_dropped_total", "orders.events") == 1.0).await;
    for service in [payments, inventory, orders] {
        service.drain().await;
    }
}

const KNOWN: (&str, &str) = ("ce_type", "mesh.orders.v1.OrderPlaced");

/// Bytes that no codec can compress.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// Whichever part makes the dead letter too large, it becomes a stub, and the partition goes on.
#[tokio::test]
async fn a_dead_letter_that_is_too_large_becomes_a_stub_with_origin_and_digest() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let (orders, payments) = pair(folder.path(), &broker).await;
    let long = "h".repeat(1_200_000);
    broker.send("orders.events", "o-1", &noise(999_900), &[KNOWN]);
    broker.send_in("gzip", "orders.events", "o-1", &vec![0xff; 2_000_000], &[KNOWN]);
    broker.send("orders.events", &"k".repeat(1_200_000), b"\xff", &[KNOWN]);
    broker.send("orders.events", "o-1", b"\xff", &[KNOWN, ("ce_id", "1"), ("long", &long)]);
    orders.publish("o-1", "ada", 2).await;
    assert_eq!(payments.until_applied(1).await, [("o-1".into(), 2)], "the order goes on");
    until(async || broker.records("orders.events.dlq").len() == 4).await;
    until(async || broker.committed("payments", "orders.events") == 5).await;

    let letters = broker.records("orders.events.dlq");
    let at = |offset| {
        let is = |one: &&OwnedMessage| header(one, dead_letter::OFFSET) == Some(offset);
        letters.iter().find(is).unwrap()
    };
    for (offset, size, truncated) in [
        ("0", "999900", "payload"),
        ("1", "2000000", "payload"),
        ("2", "1", "payload,key"),
        ("3", "1", "payload,headers"),
    ] {
        let letter = at(offset);
        assert_eq!(header(letter, dead_letter::REASON), Some("undecodable"), "{offset}");
        assert_eq!(header(letter, dead_letter::TOPIC), Some("orders.events"), "{offset}");
        assert_eq!(header(letter, dead_letter::TRUNCATED), Some(truncated), "{offset}");
        assert_eq!(header(letter, dead_letter::PAYLOAD_SIZE), Some(size), "{offset}");
        assert_eq!(letter.payload(), None, "{offset}");
    }
    let one_byte = "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89";
    assert_eq!(header(at("3"), dead_letter::PAYLOAD_SHA256), Some(one_byte));
    assert_eq!((header(at("3"), "ce_id"), header(at("3"), "long")), (Some("1"), None));
    payments.drain().await;
    orders.drain().await;
}

/// If the dead-letter topic may not be written to, the partition does not wait for ever.
#[tokio::test]
async fn a_dead_letter_that_the_broker_always_refuses_is_given_up_and_counted() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    broker.forbid("orders.events.dlq");
    let (orders, payments) = pair(folder.path(), &broker).await;
    orders.publish("o-1", "reject", 1).await;
    orders.publish("o-1", "ada", 2).await;
    assert_eq!(payments.until_applied(1).await, [("o-1".into(), 2)], "the order goes on");
    assert_eq!(payments.metric("mesh_dead_letters_lost_total", "orders.events"), 1.0);
    until(async || broker.committed("payments", "orders.events") == 2).await;
    payments.drain().await;
    orders.drain().await;
}
