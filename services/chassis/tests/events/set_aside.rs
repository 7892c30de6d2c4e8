//! Rows that can never be sent, and the rows behind them.

use chassis::{
    Kind,
    events::{Publish, outbox},
};
use rdkafka::{Message, types::RDKafkaRespErr as Code};

use crate::{
    broker::Broker,
    contract::OrderEvent,
    service::{Plan, Service, event, until},
};

/// Publishes an event, then sets `column` of its row to this SQL expression, which no publisher would write.
async fn leave(service: &Service, order: &str, column: &str, value: &str) {
    service.publish(order, "ada", 1).await;
    let sql = format!(
        "update outbox set {column} = {value} where seq = (select max(seq) from outbox where key = '{order}')"
    );
    let mut tx = service.database.begin("test").await.unwrap();
    tx.query(sqlx::AssertSqlSafe(sql)).execute().await.unwrap();
    tx.commit().await.unwrap();
}

fn keys(broker: &Broker) -> Vec<String> {
    let keys = broker.records("orders.events").into_iter();
    keys.map(|one| String::from_utf8_lossy(one.key().unwrap_or_default()).into_owned()).collect()
}

async fn rows(service: &Service, sql: &'static str) -> i64 {
    service.database.query("count", sql).one::<(i64,)>().await.unwrap().0
}

const UNSENT: &str = "select count(*) from outbox where sent_at is null";

/// There are more rows than fit into a round: unmarked rows, and rows that can never be sent, must not fill it.
#[tokio::test]
async fn rows_that_can_never_be_sent_are_set_aside_and_all_others_are_sent() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders =
        Plan::new("orders", folder.path(), &broker).without_relay().start_without_handlers().await;
    leave(&orders, "large", "payload", "zeroblob(1000003)").await;
    orders.publish("large", "ada", 2).await;
    leave(&orders, "text", "key", "cast(x'ff00fe' as text)").await;
    leave(&orders, "topic", "topic", "'no/topic'").await;
    leave(&orders, "nul", "topic", "'orders' || char(0)").await;
    leave(&orders, "dots", "topic", "'..'").await;
    leave(&orders, "time", "created_at", "9223372036854775807").await;
    leave(&orders, "words", "created_at", "'yesterday'").await;
    for order in 0..600 {
        orders.publish(&format!("o-{order}"), "ada", 1).await;
    }
    orders.drain().await;

    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    until(async || rows(&orders, UNSENT).await == 0).await;
    let sent = keys(&broker);
    assert_eq!(sent.len(), 601, "each once");
    assert_eq!(sent.iter().filter(|key| *key == "large").count(), 1, "what comes after it follows");
    let aside = outbox::list(&orders.database).await.unwrap();
    let reasons: Vec<_> = aside.iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "too_large",
            "unreadable",
            "unreadable",
            "unreadable",
            "unreadable",
            "unreadable",
            "unreadable"
        ]
    );
    assert_eq!((aside[0].key.as_str(), aside[0].size), ("large", 1_000_003));
    assert_eq!(orders.metric("mesh_outbox_set_aside_total", "too_large"), 1.0);
    assert_eq!(orders.metric("mesh_outbox_set_aside_total", "unreadable"), 6.0);
    until(async || orders.metric("mesh_outbox_unsendable", "") == 7.0).await;

    // A row that was corrected can be sent again; the others are purged.
    let mut tx = orders.database.begin("test").await.unwrap();
    tx.query("update outbox_set_aside set payload = zeroblob(3) where key = 'large'")
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(outbox::retry(&orders.database, Some(aside[0].seq)).await.unwrap(), 1);
    until(async || keys(&broker).iter().filter(|key| *key == "large").count() == 2).await;
    assert_eq!(outbox::purge(&orders.database, None).await.unwrap(), 6);
    until(async || orders.metric("mesh_outbox_unsendable", "") == 0.0).await;
    orders.drain().await;
}

/// A broker refuses a whole batch because of one record: only the record that is refused alone is set aside.
#[tokio::test]
async fn rows_of_a_batch_that_was_refused_because_of_another_row_are_sent() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders =
        Plan::new("orders", folder.path(), &broker).without_relay().start_without_handlers().await;
    for order in 0..20 {
        orders.publish(&format!("o-{order}"), "ada", 1).await;
    }
    orders.drain().await;
    broker.refuse(&[Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 3]);
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    until(async || rows(&orders, UNSENT).await == 0).await;
    assert_eq!(keys(&broker).len(), 20);
    assert_eq!(orders.metric("mesh_outbox_set_aside_total", ""), 0.0);
    orders.drain().await;
}

/// While a refusal may pass, the later rows of its key wait, also those published meanwhile; other keys do not.
#[tokio::test]
async fn later_rows_of_a_key_do_not_overtake_one_that_failed() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let orders =
        Plan::new("orders", folder.path(), &broker).without_relay().start_without_handlers().await;
    for revision in 1..=5 {
        orders.publish("o-1", "ada", revision).await;
    }
    orders.drain().await;
    broker.refuse(&[Code::RD_KAFKA_RESP_ERR_UNKNOWN]);
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    orders.publish("o-2", "ada", 1).await;
    until(async || rows(&orders, UNSENT).await == 0).await;
    let records = broker.records("orders.events");
    let revisions: Vec<_> = records
        .iter()
        .filter(|one| one.key() == Some(b"o-1"))
        .map(|one| <OrderEvent as prost::Message>::decode(one.payload().unwrap()).unwrap().revision)
        .collect();
    assert_eq!(revisions, [1, 2, 3, 4, 5]);
    assert_eq!(orders.metric("mesh_outbox_set_aside_total", ""), 0.0);
    orders.drain().await;
}

#[tokio::test]
async fn only_events_of_a_missing_topic_wait_for_it() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    broker.lose("later.events", true);
    let orders =
        Plan::new("orders", folder.path(), &broker).without_relay().start_without_handlers().await;
    for order in 0..600 {
        leave(&orders, &format!("later-{order}"), "topic", "'later.events'").await;
    }
    orders.publish("now", "ada", 1).await;
    orders.drain().await;
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    until(async || keys(&broker) == ["now"]).await;
    orders.publish("soon", "ada", 1).await;
    until(async || keys(&broker).len() == 2).await;
    assert_eq!(
        rows(&orders, UNSENT).await - 600,
        rows(
            &orders,
            "select count(*) from outbox where sent_at is null and topic <> 'later.events'"
        )
        .await
    );
    broker.lose("later.events", false);
    until(async || rows(&orders, UNSENT).await == 0).await;
    assert_eq!(broker.records("later.events").len(), 600);
    orders.drain().await;
}

#[tokio::test]
async fn an_event_that_is_too_large_or_has_no_key_is_refused_when_it_is_published() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::start());
    let orders = Plan::new("orders", folder.path(), &broker).start_without_handlers().await;
    let mut tx = orders.database.begin("test").await.unwrap();
    let refused = tx.publish(&event("o-1", &"a".repeat(1_000_000), 1)).await.unwrap_err();
    let refused = chassis::Error::from(refused);
    assert_eq!(refused.kind(), Kind::Invalid);
    assert!(
        refused.message().contains("orders.events") && refused.message().contains("980000"),
        "{refused}"
    );
    assert_eq!(
        chassis::Error::from(tx.publish(&event("", "ada", 1)).await.unwrap_err()).kind(),
        Kind::Invalid
    );
    tx.publish(&event("o-2", &"a".repeat(979_000), 1)).await.unwrap();
    tx.commit().await.unwrap();
    until(async || keys(&broker) == ["o-2"]).await;
    orders.drain().await;
}
