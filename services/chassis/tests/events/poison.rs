//! Records that no client can read do not stop a partition: they are found, set aside by their position, and skipped.

use chassis::events::dead_letter;
use rdkafka::message::OwnedMessage;

use crate::{
    broker::{Broker, header},
    service::{Ledger, Plan, Service, event, until},
};

const ZSTD: i16 = 4;
/// The codecs that Kafka knows are 1 to 4.
const UNKNOWN_CODEC: i16 = 7;

/// <https://kafka.apache.org/documentation/#recordbatch>
fn batch(attributes: i16, count: i32, records: &[u8]) -> Vec<u8> {
    let mut body = attributes.to_be_bytes().to_vec();
    body.extend((count - 1).to_be_bytes());
    body.extend([0; 16]); // timestamps
    body.extend([0xff; 14]); // no producer id, epoch, sequence
    body.extend(count.to_be_bytes());
    body.extend(records);
    let mut batch = vec![0; 8]; // the broker sets the offset
    batch.extend(u32::try_from(4 + 1 + 4 + body.len()).unwrap().to_be_bytes());
    batch.extend([0xff, 0xff, 0xff, 0xff, 2]);
    batch.extend(crc32c::crc32c(&body).to_be_bytes());
    batch.extend(body);
    batch
}

fn damaged() -> Vec<u8> {
    let mut batch = batch(0, 1, b"whatever");
    *batch.last_mut().unwrap() ^= 1;
    batch
}

async fn payments(folder: &std::path::Path, broker: &Broker) -> Service {
    Plan::new("payments", folder, broker)
        .start(|consumer, database| consumer.handle(database, Ledger::default()).unwrap())
        .await
}

fn good(broker: &Broker, order: &str) {
    let placed = prost::Message::encode_to_vec(&event(order, "ada", 1));
    broker.send("orders.events", order, &placed, &[("ce_type", "mesh.orders.v1.OrderPlaced")]);
}

/// The first and the last offset of the records that each dead letter is about.
fn places(letters: &[OwnedMessage]) -> Vec<(String, String)> {
    let place = |letter| {
        assert_eq!(header(letter, dead_letter::REASON), Some("unreadable"));
        assert_eq!(header(letter, dead_letter::PARTITION), Some("0"));
        assert!(header(letter, dead_letter::TRUNCATED).is_some());
        let text = |name| header(letter, name).unwrap().to_owned();
        (text(dead_letter::OFFSET), text(dead_letter::LAST_OFFSET))
    };
    let mut places: Vec<_> = letters.iter().map(place).collect();
    places.sort();
    places
}

fn pairs(places: &[(&str, &str)]) -> Vec<(String, String)> {
    places.iter().map(|(first, last)| ((*first).to_owned(), (*last).to_owned())).collect()
}

#[tokio::test]
async fn events_in_every_codec_are_applied() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    let payments = payments(folder.path(), &broker).await;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let mut placed = event(codec, "ada", 1);
        placed.order_id = codec.into();
        let placed = prost::Message::encode_to_vec(&placed);
        // A batch that a codec would make larger is sent uncompressed; the padding prevents that.
        let padding = "the same again ".repeat(500);
        let headers = [("ce_type", "mesh.orders.v1.OrderPlaced"), ("padding", &*padding)];
        broker.send_in(codec, "orders.events", codec, &placed, &headers);
    }
    let applied = payments.until_applied(5).await;
    let keys: Vec<_> = applied.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["none", "gzip", "snappy", "lz4", "zstd"]);
    payments.drain().await;
}

#[tokio::test]
async fn records_that_cannot_be_decompressed_become_dead_letters_and_those_between_are_applied() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    broker.append("orders.events", &batch(ZSTD, 1, b"no zstd"));
    good(&broker, "o-1");
    broker.append("orders.events", &batch(UNKNOWN_CODEC, 3, b"whatever"));
    good(&broker, "o-2");
    let payments = payments(folder.path(), &broker).await;
    let applied = payments.until_applied(2).await;
    assert_eq!(applied, [("o-1".into(), 1), ("o-2".into(), 1)]);
    until(async || broker.committed("payments", "orders.events") == 6).await;
    let letters = broker.records("orders.events.dlq");
    assert_eq!(places(&letters), pairs(&[("0", "0"), ("2", "4")]));
    let unreadable = "reason=\"unreadable\"";
    assert_eq!(payments.metric("mesh_dead_letters_total", unreadable), 2.0);
    assert_eq!(payments.metric("mesh_consumer_gap_records_total", ""), 0.0);
    payments.drain().await;
}

/// The client skips damaged records by itself when others follow, and fetches them again and again when none do.
#[tokio::test]
async fn damaged_records_become_dead_letters_whether_others_follow_or_not() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    broker.append("orders.events", &damaged());
    good(&broker, "o-1");
    let payments = payments(folder.path(), &broker).await;
    payments.until_applied(1).await;
    assert!(payments.degraded("kafka_records").contains("cannot be read"));
    broker.append("orders.events", &damaged());
    until(async || broker.records("orders.events.dlq").len() == 2).await;
    good(&broker, "o-2");
    payments.until_applied(2).await;
    until(async || broker.committed("payments", "orders.events") == 4).await;
    let letters = broker.records("orders.events.dlq");
    assert_eq!(places(&letters), pairs(&[("0", "0"), ("2", "2")]));
    payments.drain().await;
}

/// The client reports no error for a record that is incomplete.
#[tokio::test]
async fn an_incomplete_record_is_skipped() {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Broker::with_partitions(1));
    broker.append("orders.events", &batch(0, 1, &[0xff; 7]));
    good(&broker, "o-1");
    let payments = payments(folder.path(), &broker).await;
    let set_aside = async || broker.records("orders.events.dlq").len() == 1;
    for _ in 0..4 {
        if set_aside().await {
            break;
        }
        tokio::time::timeout(std::time::Duration::from_secs(10), until(set_aside)).await.ok();
    }
    payments.until_applied(1).await;
    assert_eq!(places(&broker.records("orders.events.dlq")), pairs(&[("0", "0")]));
    payments.drain().await;
}
