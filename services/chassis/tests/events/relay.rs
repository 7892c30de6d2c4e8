//! From the outbox to the broker.

use chassis::events::Publish;
use std::time::Duration;

use rdkafka::Message;

use crate::{
    broker::{Broker, header},
    service::{Ledger, Plan, Service, event, until},
};

#[tokio::test]
async fn an_event_is_sent_only_after_its_transaction_is_committed() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let mut plan = Plan::new("orders", folder.path(), &broker);
    // The sweep is so rare that only a notification lets the event be sent in time.
    plan.outbox.sweep = Duration::from_secs(3600);
    let orders = plan.start_without_handlers().await;
    orders.publish("first", "ada", 1).await;
    until(async || broker.records("orders.events").len() == 1).await;

    let mut tx = orders.database.begin("test").await.unwrap();
    tx.publish(&event("second", "ada", 1)).await.unwrap();
    drop(tx);

    orders.publish("third", "ada", 1).await;
    let sent = |key: &str| {
        broker.records("orders.events").into_iter().find(|one| one.key() == Some(key.as_bytes()))
    };
    until(async || sent("third").is_some()).await;
    assert!(sent("second").is_none(), "neither before the commit nor without it");
    let record = sent("third").unwrap();
    assert_eq!(header(&record, "ce_type"), Some("mesh.orders.v1.OrderPlaced"));
    assert_eq!(header(&record, "ce_source"), Some("/mesh/orders"));
    assert_eq!(header(&record, "ce_specversion"), Some("1.0"));
    assert_eq!(header(&record, "content-type"), Some("application/protobuf"));
    assert!(header(&record, "ce_time").unwrap().ends_with('Z'));
    assert_eq!(header(&record, "ce_id").unwrap().len(), 36);
    orders.drain().await;
}

#[tokio::test]
async fn events_that_a_crashed_relay_left_are_sent_by_the_next_one() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders =
        Plan::new("orders", folder.path(), &broker).without_relay().start_without_handlers().await;
    for revision in 1..=5 {
        orders.publish("o-1", "ada", revision).await;
    }
    orders.crash().await;
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    until(async || broker.records("orders.events").len() == 5).await;
    until(async || orders.metric("mesh_outbox_pending", "") == 0.0).await;
    orders.drain().await;
}

/// Events of a service's last transactions are sent before the service ends.
#[tokio::test]
async fn a_relay_sends_the_last_events_while_it_drains() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    for order in 0..50 {
        orders.publish(&format!("o-{order}"), "ada", 1).await;
    }
    orders.drain().await;
    assert_eq!(broker.records("orders.events").len(), 50, "each once");
}

/// An event that was handed to the client is not sent yet: if no broker acknowledges it before the end, the next process sends
/// it.
#[tokio::test]
async fn unacknowledged_events_are_sent_by_the_next_relay() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let mut plan = Plan::new("orders", folder.path(), &broker);
    plan.outbox.last_round = Duration::from_millis(200);
    let orders = plan.start_without_handlers().await;
    orders.publish("o-1", "ada", 1).await;
    until(async || unsent(&orders).await == 0).await;
    broker.down();
    orders.publish("o-1", "ada", 2).await;
    // The last round waits for the broker until its time is over.
    orders.drain().await;
    let left =
        Plan::new("orders", folder.path(), &broker).without_relay().start_without_handlers().await;
    assert_eq!(unsent(&left).await, 1);
    left.drain().await;
    broker.up();
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    until(async || unsent(&orders).await == 0).await;
    assert!(broker.records("orders.events").len() >= 2);
    orders.drain().await;
}

/// Returns how many events were never sent.
async fn unsent(service: &Service) -> i64 {
    let sql = "select count(*) from outbox where sent_at is null";
    service.database.query("count", sql).one::<(i64,)>().await.unwrap().0
}

/// To a broker that lost everything, sent events are sent again, oldest first, and the consumers drop those that they know.
#[tokio::test]
async fn events_that_were_sent_to_earlier_logs_are_sent_to_a_new_log_again() {
    let folder = tempfile::tempdir().unwrap();
    let before = Broker::start();
    let orders = Plan::new("orders", folder.path(), &before).start_without_handlers().await;
    let payments = Plan::new("payments", folder.path(), &before)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    for revision in 1..=3 {
        orders.publish("o-1", "ada", revision).await;
    }
    payments.until_applied(3).await;
    payments.drain().await;
    // The broker has these, but no consumer has read them.
    for revision in 4..=6 {
        orders.publish("o-1", "ada", revision).await;
    }
    until(async || before.records("orders.events").len() == 6).await;
    orders.drain().await;
    drop(before);

    let after = Broker::start();
    let orders = Plan::new("orders", folder.path(), &after).start_without_handlers().await;
    let payments = Plan::new("payments", folder.path(), &after)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    orders.publish("o-1", "ada", 7).await;
    let applied = payments.until_applied(7).await;
    assert_eq!(
        applied.into_iter().map(|(_, revision)| revision).collect::<Vec<_>>(),
        (1..=7).collect::<Vec<_>>()
    );
    assert_eq!(payments.metric("mesh_duplicates_dropped_total", "orders.events"), 3.0);
    let delays = payments.metric("mesh_event_delay_seconds_count", "orders.events");
    assert_eq!(delays, 1.0, "the age of what is sent again says nothing");
    orders.drain().await;

    // The log is the same after a restart of the relay: no event is sent again.
    let orders = Plan::new("orders", folder.path(), &after).start_without_handlers().await;
    orders.publish("o-1", "ada", 8).await;
    payments.until_applied(8).await;
    assert_eq!(after.records("orders.events").len(), 8);
    payments.drain().await;
    orders.drain().await;
}

/// A long backlog delays only the orders that are in it, not a new order.
#[tokio::test]
async fn new_events_overtake_the_replay_except_those_of_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let before = Broker::start();
    let orders = Plan::new("orders", folder.path(), &before).start_without_handlers().await;
    for order in 0..300 {
        orders.publish(&format!("old-{order}"), "ada", 1).await;
    }
    until(async || before.records("orders.events").len() == 300).await;
    orders.drain().await;

    let after = Broker::start();
    let mut plan = Plan::new("orders", folder.path(), &after);
    plan.outbox.resend_rate = 100;
    let orders = plan.start_without_handlers().await;
    orders.publish("old-299", "ada", 2).await;
    orders.publish("new", "ada", 1).await;
    let sent = || after.records("orders.events");
    let has = |key: &str| sent().iter().filter(|one| one.key() == Some(key.as_bytes())).count();
    until(async || has("new") == 1).await;
    assert!(sent().len() < 290, "the backlog is still being sent");
    assert_eq!(has("old-299"), 0, "an order's events stay in order");
    until(async || sent().len() == 302).await;
    let order: Vec<_> =
        sent().iter().filter(|one| one.key() == Some(b"old-299")).map(|one| one.offset()).collect();
    assert_eq!(order.len(), 2);
    orders.drain().await;
}

#[tokio::test]
async fn of_two_relays_only_the_leader_sends() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let first = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    first.publish("o-1", "ada", 1).await;
    until(async || broker.records("orders.events").len() == 1).await;
    let second = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    for order in 0..100 {
        let replica = if order % 2 == 0 { &first } else { &second };
        replica.publish(&format!("o-{order}"), "ada", 2).await;
    }
    until(async || broker.records("orders.events").len() >= 101).await;
    let sent = |service: &Service| {
        service
            .metric("messaging_client_operation_duration_seconds_count", "operation_name=\"send\"")
    };
    // A record is on the broker before its sender gets the acknowledgement.
    until(async || sent(&first) + sent(&second) >= 101.0).await;
    assert_eq!((sent(&first), sent(&second)), (101.0, 0.0));

    first.drain().await;
    second.publish("o-1", "ada", 3).await;
    until(async || broker.records("orders.events").len() == 102).await;
    until(async || sent(&second) == 1.0).await;
    second.drain().await;
}

#[tokio::test]
async fn old_rows_of_the_outbox_and_the_inbox_are_deleted() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let mut plan = Plan::new("orders", folder.path(), &broker);
    plan.outbox.keep = Duration::ZERO;
    plan.outbox.inbox_keep = Duration::ZERO;
    let orders = plan
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    orders.publish("o-1", "ada", 1).await;
    orders.until_applied(1).await;
    let rows = async |sql: &'static str| {
        orders.database.query("count", sql).one::<(i64,)>().await.unwrap().0
    };
    until(async || rows("select count(*) from outbox").await == 0).await;
    until(async || rows("select count(*) from inbox").await == 0).await;
    orders.drain().await;
}
