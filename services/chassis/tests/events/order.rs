//! Events are handled in order per key, concurrently across keys, and committed only when they are finished.

use chassis::events::Publish;
use std::{collections::HashMap, sync::atomic::Ordering};

use rdkafka::Message;

use crate::{
    broker::Broker,
    service::{Ledger, Plan, ThirdParty, event, paid, until},
};

#[tokio::test]
async fn events_of_one_order_are_applied_in_order() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    for revision in 0..20 {
        for order in 0..10 {
            // Each third event fails once and is tried again; the later events of its key must wait for that.
            let customer = if (revision + order) % 3 == 0 { "flaky" } else { "ada" };
            orders.publish(&format!("o-{order}"), customer, revision).await;
        }
    }
    let mut by_order: HashMap<String, Vec<i64>> = HashMap::new();
    for (order, revision) in payments.until_applied(200).await {
        by_order.entry(order).or_default().push(revision);
    }
    assert_eq!(by_order.len(), 10);
    for (order, revisions) in by_order {
        assert_eq!(revisions, (0..20).collect::<Vec<_>>(), "{order}");
    }
    assert!(payments.metric("mesh_retries_total", "orders.events") > 0.0);
    payments.drain().await;
    orders.drain().await;
}

/// An order that third_party for a slow third party delays only itself; no offset beyond it is committed before it is done.
#[tokio::test]
async fn an_event_that_waits_for_a_third_party_delays_only_events_of_its_key() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let third_party = ThirdParty::default();
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| {
            consumer.handle_with_side_effect(database, third_party.clone()).unwrap()
        })
        .await;
    orders.publish("slow", "slow", 1).await;
    orders.publish("slow", "ada", 2).await;
    for order in 0..50 {
        orders.publish(&format!("o-{order}"), "ada", 1).await;
    }
    payments.until_applied(50).await;
    assert!(!payments.ledger().await.iter().any(|(order, _)| order == "slow"));
    assert!(payments.metric("mesh_consumer_oldest_age_seconds", "orders.events") >= 0.0);
    // The offset of its partition stays, and those of the other partitions move.
    let records = broker.records("orders.events");
    let slow = records.iter().find(|record| record.key() == Some(b"slow")).unwrap();
    let elsewhere = records.iter().filter(|record| record.partition() != slow.partition());
    let low_water = slow.offset() + elsewhere.count() as i64;
    until(async || broker.committed("payments", "orders.events") == low_water).await;

    third_party.gate.add_permits(1);
    let all = payments.until_applied(52).await;
    assert_eq!(all[50..], [("slow".into(), 1), ("slow".into(), 2)]);
    until(async || broker.committed("payments", "orders.events") == 52).await;
    payments.drain().await;
    orders.drain().await;
}

/// With more events than may be handled at once, the partitions are paused; records that arrive meanwhile show in their lag; then
/// the partitions are resumed.
#[tokio::test]
async fn partitions_are_paused_while_the_limit_of_events_in_flight_is_reached() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(3));
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let mut plan = Plan::new("payments", folder.path(), &broker);
    plan.kafka.concurrency = 6;
    let third_party = ThirdParty::default();
    let payments = plan
        .start(|consumer, database| {
            consumer.handle_with_side_effect(database, third_party.clone()).unwrap()
        })
        .await;
    let lag = || payments.metric("mesh_consumer_lag", "orders.events");
    for (first, last) in [(0, 100), (100, 200), (200, 300)] {
        for order in first..last {
            orders.publish(&format!("o-{order}"), "slow", 1).await;
        }
        until(async || lag() == f64::from(last)).await;
        assert_eq!(third_party.calls.load(Ordering::Relaxed), 6, "each partition has its share");
    }
    third_party.gate.add_permits(300);
    assert_eq!(payments.until_applied(300).await.len(), 300);
    until(async || broker.committed("payments", "orders.events") == 300).await;
    until(async || lag() == 0.0).await;
    payments.drain().await;
    orders.drain().await;
}

#[tokio::test]
async fn event_types_without_a_handler_are_skipped_and_counted() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    let mut tx = orders.database.begin("test").await.unwrap();
    tx.publish(&paid("o-1")).await.unwrap();
    tx.publish(&event("o-1", "ada", 2)).await.unwrap();
    tx.commit().await.unwrap();
    // An event type of a later version: once named in a header, once not.
    broker.send("orders.events", "o-1", &[], &[("ce_type", "mesh.orders.v1.OrderFramed")]);
    broker.send("orders.events", "o-1", &[], &[]);
    assert_eq!(payments.until_applied(1).await, [("o-1".into(), 2)]);
    until(async || payments.metric("mesh_events_total", "outcome=\"skipped\"") == 3.0).await;
    until(async || broker.committed("payments", "orders.events") == 4).await;
    payments.drain().await;
    orders.drain().await;
}

/// An event that is in flight when the service stops is finished; events that only wait are left to the next process.
#[tokio::test]
async fn a_drain_finishes_the_events_in_flight_and_commits_their_offsets() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let third_party = ThirdParty::default();
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| {
            consumer.handle_with_side_effect(database, third_party.clone()).unwrap()
        })
        .await;
    orders.publish("o-1", "slow", 1).await;
    orders.publish("o-1", "ada", 2).await;
    until(async || third_party.calls.load(Ordering::Relaxed) == 1).await;
    // The drain begins first, then the third party answers.
    tokio::join!(payments.drain(), async { third_party.gate.add_permits(1) });
    assert_eq!(broker.committed("payments", "orders.events"), 1);

    let again = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| {
            consumer.handle_with_side_effect(database, ThirdParty::default()).unwrap()
        })
        .await;
    assert_eq!(again.until_applied(2).await, [("o-1".into(), 1), ("o-1".into(), 2)]);
    assert_eq!(again.metric("mesh_duplicates_dropped_total", ""), 0.0);
    again.drain().await;
    orders.drain().await;
}
