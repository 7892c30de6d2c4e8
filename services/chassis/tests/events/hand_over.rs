//! Replicas that start and stop: no event is lost, and none is applied twice.

use std::{collections::HashSet, time::Duration};

use crate::{
    broker::Broker,
    service::{Ledger, Plan, Service, ThirdParty, until},
};

async fn payments(folder: &std::path::Path, broker: &Broker) -> Service {
    let handler = Ledger { delay: Duration::from_millis(1), ..Ledger::default() };
    Plan::new("payments", folder, broker)
        .without_relay()
        .start(|consumer, database| consumer.handle(database, handler).unwrap())
        .await
}

fn each_once(ledger: &[(String, i64)], count: usize) {
    let keys: HashSet<_> = ledger.iter().map(|(key, _)| key).collect();
    assert_eq!((ledger.len(), keys.len()), (count, count));
}

#[tokio::test]
async fn events_that_were_handled_but_not_committed_are_delivered_again_and_dropped() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let first = Plan::new("payments", folder.path(), &broker)
        .without_relay()
        .start(|consumer, database| {
            consumer.handle_with_side_effect(database, ThirdParty::default()).unwrap()
        })
        .await;
    // Until this event is finished, no offset is committed.
    orders.publish("stuck", "slow", 1).await;
    for order in 0..100 {
        orders.publish(&format!("o-{order}"), "ada", 1).await;
    }
    first.until_applied(100).await;
    first.crash().await;

    let second = payments(folder.path(), &broker).await;
    each_once(&second.until_applied(101).await, 101);
    assert!(second.metric("mesh_duplicates_dropped_total", "orders.events") > 0.0);
    until(async || broker.committed("payments", "orders.events") == 101).await;
    second.drain().await;
    orders.drain().await;
}

/// The broker may have a new log, in which the offset would skip events; or another member may have the partition.
#[tokio::test]
async fn offsets_of_lost_partitions_are_not_committed() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let payments = payments(folder.path(), &broker).await;
    orders.publish("o-1", "ada", 1).await;
    until(async || broker.committed("payments", "orders.events") == 1).await;
    broker.count_commits();
    let rebalances = || payments.metric("mesh_consumer_rebalances_total", "payments");
    let before = rebalances();
    broker.forget_a_member();
    until(async || rebalances() > before).await;
    assert_eq!(broker.commits(), 0);
    orders.publish("o-2", "ada", 1).await;
    until(async || broker.committed("payments", "orders.events") == 2).await;
    assert!(broker.commits() > 0, "commits are counted");
    each_once(&payments.ledger().await, 2);
    payments.drain().await;
    orders.drain().await;
}

/// Kafka lost records that the group had handled: its offset is beyond the end of the log.
#[tokio::test]
async fn after_an_offset_beyond_the_log_the_group_begins_anew_and_commits_lower_offsets() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    broker.commit("payments", "orders.events", 1000);
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    for order in 0..3 {
        orders.publish(&format!("o-{order}"), "ada", 1).await;
    }
    let payments = payments(folder.path(), &broker).await;
    each_once(&payments.until_applied(3).await, 3);
    until(async || broker.committed("payments", "orders.events") == 3).await;
    orders.publish("o-3", "ada", 1).await;
    until(async || broker.committed("payments", "orders.events") == 4).await;
    payments.drain().await;
    orders.drain().await;
}

#[tokio::test]
async fn partitions_move_between_replicas_and_each_event_is_applied_once() {
    const EVENTS: usize = 1500;
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let first = payments(folder.path(), &broker).await;
    let publishing = async {
        for order in 0..EVENTS {
            orders.publish(&format!("o-{order}"), "ada", 1).await;
        }
    };
    let moving = async {
        first.until_applied(100).await;
        let second = payments(folder.path(), &broker).await;
        // Both replicas have some of the partitions.
        until(async || second.metric("messaging_process_duration_seconds_count", "handled") > 50.0)
            .await;
        first.drain().await;
        second.until_applied(EVENTS).await;
        second
    };
    let (second, ()) = tokio::join!(moving, publishing);
    each_once(&second.until_applied(EVENTS).await, EVENTS);
    until(async || broker.committed("payments", "orders.events") == EVENTS as i64).await;
    second.drain().await;
    orders.drain().await;
}
