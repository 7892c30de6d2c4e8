//! Several events in one transaction.

use chassis::events::dead_letter;

use crate::{
    broker::{Broker, header},
    service::{BatchLedger, Plan, Service, event, paid, until},
};

async fn published(folder: &std::path::Path, broker: &Broker, customers: &[&str]) -> Service {
    let orders = Plan::new("orders", folder, broker).start_without_handlers().await;
    for (order, customer) in customers.iter().enumerate() {
        orders.publish(&format!("o-{order}"), customer, 1).await;
    }
    until(async || broker.records("orders.events").len() == customers.len()).await;
    orders
}

async fn shipping(folder: &std::path::Path, broker: &Broker) -> Service {
    Plan::new("shipping", folder, broker)
        .start(|consumer, database| {
            consumer.handle_batches(database, BatchLedger::default()).unwrap()
        })
        .await
}

#[tokio::test]
async fn waiting_events_are_applied_in_few_transactions() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let orders = published(folder.path(), &broker, &["ada"; 200]).await;
    let shipping = shipping(folder.path(), &broker).await;
    shipping.until_applied(200).await;
    let transactions =
        shipping.metric("db_client_operation_duration_seconds_count", "\"orders.events\"");
    assert!((4.0..20.0).contains(&transactions), "{transactions} transactions for 200 events");
    until(async || broker.committed("shipping", "orders.events") == 200).await;
    shipping.drain().await;
    orders.drain().await;
}

/// An event that is delivered again is dropped from its batch; the other events of the batch are applied.
#[tokio::test]
async fn an_event_that_is_delivered_again_is_dropped_from_its_batch() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let shipping = shipping(folder.path(), &broker).await;
    let send = |order: &str| {
        let placed = prost::Message::encode_to_vec(&event(order, "ada", 1));
        let headers = [("ce_type", "mesh.orders.v1.OrderPlaced"), ("ce_id", order)];
        broker.send("orders.events", order, &placed, &headers);
    };
    send("o-1");
    shipping.until_applied(1).await;
    send("o-1");
    send("o-2");
    until(async || broker.committed("shipping", "orders.events") == 3).await;
    assert_eq!(shipping.ledger().await, [("o-1".into(), 1), ("o-2".into(), 1)]);
    assert_eq!(shipping.metric("mesh_duplicates_dropped_total", "orders.events"), 1.0);
    shipping.drain().await;
}

#[tokio::test]
async fn one_bad_event_of_a_batch_becomes_a_dead_letter_alone() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let customers = ["ada", "ada", "reject", "ada", "ada"];
    let orders = published(folder.path(), &broker, &customers).await;
    broker.send("orders.events", "x", b"\xff\xff", &[("ce_type", "mesh.orders.v1.OrderPlaced")]);
    let shipping = shipping(folder.path(), &broker).await;
    let applied = shipping.until_applied(4).await;
    let keys: Vec<_> = applied.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["o-0", "o-1", "o-3", "o-4"]);
    until(async || broker.records("orders.events.dlq").len() == 2).await;
    let mut reasons: Vec<_> = broker
        .records("orders.events.dlq")
        .iter()
        .map(|letter| header(letter, dead_letter::REASON).unwrap().to_owned())
        .collect();
    reasons.sort();
    assert_eq!(reasons, ["rejected", "undecodable"]);
    until(async || broker.committed("shipping", "orders.events") == 6).await;
    shipping.drain().await;
    orders.drain().await;
}

#[tokio::test]
async fn a_batch_that_fails_temporarily_is_retried_as_a_whole() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let orders = published(folder.path(), &broker, &["ada", "flaky", "ada"]).await;
    let shipping = shipping(folder.path(), &broker).await;
    shipping.until_applied(3).await;
    assert!(shipping.metric("mesh_retries_total", "orders.events") >= 1.0);
    assert_eq!(broker.records("orders.events.dlq").len(), 0);
    shipping.drain().await;
    orders.drain().await;
}

/// Skipped and known events took no handler's time and are not measured; neither is the age of an event that was sent again.
#[tokio::test]
async fn each_event_of_a_batch_that_had_its_effect_is_one_observation() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let shipping = shipping(folder.path(), &broker).await;
    let send = |order: &str, more: &[(&str, &str)]| {
        let placed = prost::Message::encode_to_vec(&event(order, "ada", 1));
        let headers = [("ce_type", "mesh.orders.v1.OrderPlaced"), ("ce_id", order)];
        broker.send("orders.events", order, &placed, &[&headers, more].concat());
    };
    send("o-1", &[]);
    shipping.until_applied(1).await;
    shipping.drain().await;
    send("o-1", &[("mesh_resent", "true")]);
    send("o-2", &[]);
    send("o-3", &[("mesh_resent", "true"), ("ce_time", "2020-01-01T00:00:00Z")]);
    send("o-4", &[("dlq_group", "shipping"), ("ce_time", "2020-01-01T00:00:00Z")]);
    let paid = prost::Message::encode_to_vec(&paid("o-2"));
    broker.send("orders.events", "o-2", &paid, &[("ce_type", "mesh.orders.v1.OrderPaid")]);
    broker.send("orders.events", "o-2", &paid, &[]);
    broker.send("orders.events", "o-2", b"\xff", &[]);

    let shipping = self::shipping(folder.path(), &broker).await;
    until(async || broker.committed("shipping", "orders.events") == 8).await;
    let process = |outcome: &str| {
        let outcome = format!("outcome=\"{outcome}\"");
        shipping.metric("messaging_process_duration_seconds_count", &outcome)
    };
    let events =
        |outcome: &str| shipping.metric("mesh_events_total", &format!("outcome=\"{outcome}\""));
    assert_eq!((process("handled"), process("dead_lettered")), (3.0, 1.0));
    assert_eq!((process("skipped"), process("duplicate")), (0.0, 0.0));
    assert_eq!((events("handled"), events("dead_lettered")), (3.0, 1.0));
    assert_eq!((events("skipped"), events("duplicate"), events("abandoned")), (2.0, 1.0, 0.0));
    assert_eq!(shipping.metric("mesh_event_delay_seconds_count", ""), 1.0, "of o-2 alone");
    shipping.drain().await;
}
