//! The ids of handled events: when they are deleted, and when they must be kept.

use std::{sync::Arc, time::Duration};

use chassis::contract::Envelope;
use rdkafka::Message;

use crate::{
    broker::Broker,
    service::{Ledger, Plan, Service, ThirdParty, event, until},
};

async fn ids(service: &Service) -> i64 {
    let count = service.database.query("count", "select count(*) from inbox");
    count.one::<(i64,)>().await.unwrap().0
}

/// An event that waits for a third party holds up the offset: events behind it that were handled may be delivered again at any
/// time.
#[tokio::test]
async fn an_old_inbox_row_is_kept_while_its_event_may_be_delivered_again() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    orders.publish("waits", "slow", 1).await;
    until(async || broker.records("orders.events").len() == 1).await;
    for order in 0..60 {
        orders.publish(&format!("o-{order}"), "ada", 1).await;
    }
    until(async || broker.records("orders.events").len() == 61).await;
    let records = broker.records("orders.events");
    let held_up = records.iter().find(|one| one.key() == Some(b"waits")).unwrap().partition();
    let kept = records.iter().filter(|one| one.partition() == held_up).count() - 1;
    assert!(kept > 0 && kept < 60, "{kept} of the others are behind it");

    let start = async || {
        let mut plan = Plan::new("payments", folder.path(), &broker);
        plan.outbox.inbox_keep = Duration::ZERO;
        let third_party = ThirdParty::default();
        let (gate, handler) = (Arc::clone(&third_party.gate), third_party);
        let service = plan
            .start(|consumer, database| {
                consumer.handle_with_side_effect(database, handler).unwrap()
            })
            .await;
        (service, gate)
    };
    let (payments, _gate) = start().await;
    payments.until_applied(60).await;
    until(async || ids(&payments).await == kept as i64).await;
    payments.crash().await;

    let (payments, gate) = start().await;
    until(async || {
        payments.metric("mesh_duplicates_dropped_total", "orders.events") == kept as f64
    })
    .await;
    assert_eq!(ids(&payments).await, kept as i64, "they may still be delivered again");
    gate.add_permits(1);
    let applied = payments.until_applied(61).await;
    assert_eq!(applied.len(), 61, "each once");
    until(async || ids(&payments).await == 0).await;
    payments.drain().await;
    orders.drain().await;
}

/// An event that was sent twice is on the topic twice: its id is kept until the later record cannot be delivered again either.
#[tokio::test]
async fn an_event_that_was_sent_twice_keeps_the_later_offset_in_its_inbox_row() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let send = |order: &str, customer: &str, id: &str| {
        let event = event(order, customer, 1);
        let payload = prost::Message::encode_to_vec(&event);
        let kind = event.event_type().unwrap();
        broker.send("orders.events", order, &payload, &[("ce_id", id), ("ce_type", kind)]);
    };
    send("twice", "ada", "1");
    send("waits", "slow", "2");
    send("twice", "ada", "1");
    let mut plan = Plan::new("payments", folder.path(), &broker);
    plan.outbox.inbox_keep = Duration::ZERO;
    let third_party = ThirdParty::default();
    let gate = Arc::clone(&third_party.gate);
    let payments = plan
        .start(|consumer, database| {
            consumer.handle_with_side_effect(database, third_party).unwrap()
        })
        .await;
    until(async || payments.metric("mesh_duplicates_dropped_total", "orders.events") == 1.0).await;
    let place = "select position from inbox where event_id = '1'";
    let place = payments.database.query("place", place).one::<(i64,)>().await.unwrap();
    assert_eq!(place, (2,));
    gate.add_permits(1);
    payments.until_applied(2).await;
    until(async || ids(&payments).await == 0).await;
    payments.drain().await;
}

/// Rows of earlier versions have no place: when their event is delivered again, they get one.
#[tokio::test]
async fn an_inbox_row_without_an_offset_gets_one_when_its_event_is_delivered_again() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let plan = || Plan::new("payments", folder.path(), &broker);
    let payments = plan().start_without_handlers().await;
    let mut tx = payments.database.begin("test").await.unwrap();
    tx.query("insert into inbox (event_id, consumer, at) values ('1', 'payments', 0)")
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    payments.drain().await;
    let event = event("known", "ada", 1);
    let payload = prost::Message::encode_to_vec(&event);
    let kind = event.event_type().unwrap();
    broker.send("orders.events", "known", &payload, &[("ce_id", "1"), ("ce_type", kind)]);
    let payments = plan()
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await;
    until(async || payments.metric("mesh_duplicates_dropped_total", "orders.events") == 1.0).await;
    let place = "select count(*) from inbox where topic = 'orders.events' and position = 0";
    assert_eq!(payments.database.query("place", place).one::<(i64,)>().await.unwrap(), (1,));
    assert!(payments.ledger().await.is_empty());
    payments.drain().await;
}
