//! In order per key, at once across keys, committed only when done.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout};

use crate::{
    broker::Broker,
    service::{Ledger, Plan, event, paid, until},
};

#[tokio::test]
async fn events_of_one_order_are_applied_in_order() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start(|_, _| {}).await;
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    for revision in 0..20 {
        for order in 0..10 {
            // Each third is handled twice, and its successors must wait for that.
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

/// One order that waits for a slow third party holds up only itself; nothing beyond it is committed before it is done.
#[tokio::test]
async fn a_slow_event_delays_only_its_own_order() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let orders = Plan::new("orders", folder.path(), &broker).start(|_, _| {}).await;
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, Waits::default()).unwrap())
        .await;
    orders.publish("before", "ada", 1).await;
    payments.until_applied(1).await;
    until(async || broker.committed("payments", "orders.events") == 1).await;

    orders.publish("slow", "slow", 1).await;
    orders.publish("slow", "ada", 2).await;
    let started = Instant::now();
    for order in 0..50 {
        orders.publish(&format!("o-{order}"), "ada", 1).await;
    }
    payments.until_applied(51).await;
    assert!(
        started.elapsed() < Duration::from_millis(1500),
        "others waited {:?}",
        started.elapsed()
    );
    assert!(!payments.ledger().await.iter().any(|(order, _)| order == "slow"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        broker.committed("payments", "orders.events"),
        1,
        "the low-water mark is the slow event"
    );
    assert!(payments.metric("mesh_consumer_oldest_age_seconds", "orders.events") >= 0.0);

    let all = payments.until_applied(53).await;
    assert_eq!(all[51..], [("slow".into(), 1), ("slow".into(), 2)]);
    until(async || broker.committed("payments", "orders.events") == 53).await;
    payments.drain().await;
    orders.drain().await;
}

/// The slow third party is called before the transaction: the database stays free.
#[derive(Clone, Default)]
struct Waits {
    calls: Arc<AtomicUsize>,
}

impl chassis::kafka::Caller for Waits {
    type Message = proto::orders::v1::OrderEvent;
    type Error = chassis::Error;
    type Answer = ();
    const TYPES: &'static [&'static str] = <Ledger as chassis::kafka::Handler>::TYPES;

    async fn call(&self, event: &chassis::kafka::Event<Self::Message>) -> Result<(), Self::Error> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if event.body.customer == "slow" {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        Ok(())
    }

    async fn handle(
        &self,
        event: chassis::kafka::Event<Self::Message>,
        (): (),
        tx: &mut chassis::database::Tx,
    ) -> Result<(), Self::Error> {
        crate::service::write(&event, tx).await?;
        Ok(())
    }
}

/// More slow events than are handled at once: the partition is paused, and resumed.
#[tokio::test]
async fn a_partition_is_paused_while_too_much_of_it_is_in_flight() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let orders = Plan::new("orders", folder.path(), &broker).start(|_, _| {}).await;
    let mut plan = Plan::new("payments", folder.path(), &broker);
    plan.kafka.concurrency = 8;
    let payments = plan
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    for order in 0..500 {
        orders.publish(&format!("o-{order}"), "ada", 1).await;
    }
    assert_eq!(payments.until_applied(500).await.len(), 500);
    until(async || broker.committed("payments", "orders.events") == 500).await;
    payments.drain().await;
    orders.drain().await;
}

#[tokio::test]
async fn what_nobody_wants_is_skipped_and_counted() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start(|_, _| {}).await;
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    let mut tx = orders.database.begin("test").await.unwrap();
    tx.publish(&paid("o-1")).await.unwrap();
    tx.publish(&event("o-1", "ada", 2)).await.unwrap();
    tx.commit().await.unwrap();
    // Of a later version, and said by no header.
    broker.send("orders.events", "o-1", &[], &[("ce_type", "mesh.orders.v1.OrderFramed")]);
    broker.send("orders.events", "o-1", &[], &[]);
    assert_eq!(payments.until_applied(1).await, [("o-1".into(), 2)]);
    until(async || {
        payments.metric("messaging_process_duration_seconds_count", "outcome=\"skipped\"") == 3.0
    })
    .await;
    until(async || broker.committed("payments", "orders.events") == 4).await;
    payments.drain().await;
    orders.drain().await;
}

/// What is in flight when the service stops is finished; what only waits is left to the next one.
#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_commits_it() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let orders = Plan::new("orders", folder.path(), &broker).start(|_, _| {}).await;
    let waits = Waits::default();
    let payments = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, waits.clone()).unwrap())
        .await;
    orders.publish("o-1", "slow", 1).await;
    orders.publish("o-1", "ada", 2).await;
    until(async || waits.calls.load(Ordering::Relaxed) == 1).await;
    timeout(Duration::from_secs(4), payments.drain()).await.expect("within the grace period");
    assert_eq!(broker.committed("payments", "orders.events"), 1);

    let again = Plan::new("payments", folder.path(), &broker)
        .start(|consumer, database| consumer.handle(database, Waits::default()).unwrap())
        .await;
    assert_eq!(again.until_applied(2).await, [("o-1".into(), 1), ("o-1".into(), 2)]);
    assert_eq!(again.metric("mesh_duplicates_dropped_total", ""), 0.0);
    again.drain().await;
    orders.drain().await;
}
