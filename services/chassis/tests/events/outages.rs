//! Outages of the brokers and of the database.

use crate::{
    broker::Broker,
    service::{Ledger, Plan, event, until},
};

#[tokio::test]
async fn events_wait_while_the_broker_is_down() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    orders.publish("o-1", "ada", 1).await;
    payments.until_applied(1).await;
    broker.down();
    for revision in 2..=50 {
        orders.publish("o-1", "ada", revision).await;
    }
    // The first event is pending, too, if its acknowledgement was lost.
    until(async || orders.metric("mesh_outbox_pending", "") >= 49.0).await;
    until(async || payments.metric("mesh_kafka_connected", "") == 0.0).await;
    // The condition names the cause once the client has reported it.
    until(async || payments.degraded("kafka").starts_with("no Kafka broker can be reached: "))
        .await;
    assert!(payments.readiness.missing().is_empty(), "all replicas would leave at once");
    assert_eq!(payments.ledger().await.len(), 1);
    broker.up();
    let applied = payments.until_applied(50).await;
    assert_eq!(
        applied.into_iter().map(|(_, revision)| revision).collect::<Vec<_>>(),
        (1..=50).collect::<Vec<_>>()
    );
    until(async || payments.degraded("kafka").is_empty()).await;
    payments.drain().await;
    orders.drain().await;
}

/// An outage of the service's own database makes no dead letters, however long it lasts.
#[tokio::test]
async fn events_wait_while_the_database_is_down() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let payments = Plan::new("payments", folder.path(), &broker)
        .without_relay()
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    payments.database.close().await;
    orders.publish("o-1", "ada", 1).await;
    until(async || payments.metric("mesh_database_up", "") == 0.0).await;
    // Longer than all attempts of an event take.
    let age = || payments.metric("mesh_consumer_oldest_age_seconds", "orders.events");
    until(async || age() > 1.0).await;
    assert_eq!(broker.records("orders.events.dlq").len(), 0);
    payments.drain().await;

    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    payments.until_applied(1).await;
    payments.drain().await;
    orders.drain().await;
}

/// The embedded broker keeps few records. Those that it dropped before they were fetched are at least counted.
#[tokio::test]
async fn records_that_the_broker_deleted_before_they_were_read_are_counted() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let wire = |consumer: &mut chassis::events::Consumer,
                database: &chassis::database::Database| {
        consumer.handle(database, Ledger::default()).unwrap();
    };
    let payments = Plan::new("payments", folder.path(), &broker).start(wire).await;
    let small = prost::Message::encode_to_vec(&event("o-1", "ada", 1));
    broker.send("orders.events", "o-1", &small, &[("ce_type", "mesh.orders.v1.OrderPlaced")]);
    payments.until_applied(1).await;
    until(async || broker.committed("payments", "orders.events") == 1).await;
    payments.drain().await;

    let large = vec![0; 900_000];
    for _ in 0..10 {
        broker.send("orders.events", "o-1", &large, &[("ce_type", "mesh.orders.v1.Unknown")]);
    }
    let payments = Plan::new("payments", folder.path(), &broker).start(wire).await;
    broker.send("orders.events", "o-2", &small, &[("ce_type", "mesh.orders.v1.OrderPlaced")]);
    payments.until_applied(2).await;
    let gap = payments.metric("mesh_consumer_gap_records_total", "orders.events");
    assert!((1.0..10.0).contains(&gap), "{gap}");
    payments.drain().await;
}
