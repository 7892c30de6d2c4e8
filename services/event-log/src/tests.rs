//! The log on an embedded broker.

use std::time::Duration;

use chassis::{
    events::dead_letter,
    kafka::{Profile, Settings},
};
use embedded_kafka::{Broker, Retention};
use proto::topics;
use rdkafka::message::{Header, OwnedHeaders};

use crate::{Client, Decoder, Handled, Limits, Sender};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A broker with the topics of the mesh, and a client of it.
async fn broker() -> (Broker, Client) {
    let topic =
        |name: String, partitions, retention| embedded_kafka::Topic { name, partitions, retention };
    let topics = topics::ALL.into_iter().flat_map(|name| {
        [
            topic(name.into(), 3, Retention::Consumed),
            topic(dead_letter::topic(name), 1, Retention::Budget),
        ]
    });
    let settings = embedded_kafka::Settings { topics: topics.collect(), ..Default::default() };
    let broker = Broker::start(([127, 0, 0, 1], 0).into(), settings).await.unwrap();
    let brokers = broker.bootstrap_servers().to_owned();
    let settings = Settings { brokers, profile: Profile::Embedded, ..Settings::default() };
    (broker, Client::new("test", settings, TIMEOUT))
}

fn headers(all: &[(&str, &str)]) -> OwnedHeaders {
    let insert = |headers: OwnedHeaders, (key, value): &(&str, &str)| {
        headers.insert(Header { key, value: Some(*value) })
    };
    all.iter().fold(OwnedHeaders::new(), insert)
}

async fn dead(sender: &Sender, id: &str) {
    let headers = headers(&[
        ("ce_id", id),
        (dead_letter::TOPIC, "orders.events"),
        (dead_letter::GROUP, "payments"),
    ]);
    sender.send("orders.events.dlq", Some(b"o-1"), Some(b"payload"), headers).await.unwrap();
}

// Reading blocks a thread, and the broker needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_replayed_once_and_noted() {
    let (_broker, client) = broker().await;
    let sender = client.sender().unwrap();
    dead(&sender, "1").await;
    dead(&sender, "2").await;
    let read = client.reader().unwrap().letters(Limits::NONE);
    assert_eq!((read.unread, read.complete), (Vec::new(), true));
    let letters: Vec<_> = read.queue.letters().collect();
    assert_eq!(letters.len(), 2);
    sender.replay(letters[0]).await.unwrap();
    sender.give_up(letters[1]).await.unwrap();
    let reader = client.reader().unwrap();
    let after = reader.letters(Limits::NONE).queue;
    let handled: Vec<_> = after.letters().map(|letter| after.handled(letter)).collect();
    assert_eq!(handled, [Some(Handled::Replayed), Some(Handled::GivenUp)]);
    let replayed = reader.keyed("o-1", Limits::NONE).records;
    assert_eq!(replayed.len(), 1);
    assert_eq!(
        (replayed[0].header("ce_id"), replayed[0].header(dead_letter::GROUP)),
        ("1".into(), "payments".into())
    );
    assert_eq!(replayed[0].payload.as_deref(), Some(b"payload".as_slice()));
    let at = |offset: &str| {
        let place = format!("orders.events.dlq/0/{offset}").parse().unwrap();
        reader.letter(&place).unwrap().map(|letter| letter.header("ce_id"))
    };
    assert_eq!((at("1"), at("2"), at("99")), (Some("2".into()), None, None), "2 is a note");
}

/// The partition is computed as the producers compute it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_records_of_every_key_are_found() {
    let (_broker, client) = broker().await;
    let sender = client.sender().unwrap();
    let keys: Vec<_> = (0..20).map(|n| format!("order-{n}")).collect();
    for key in &keys {
        for topic in ["orders.events", "payments.events"] {
            sender.send(topic, Some(key.as_bytes()), Some(b""), headers(&[])).await.unwrap();
        }
    }
    let reader = client.reader().unwrap();
    for key in &keys {
        let found = reader.keyed(key, Limits::NONE);
        let topics: Vec<_> = found.records.iter().map(|one| one.place.topic.as_str()).collect();
        assert_eq!(topics, ["orders.events", "payments.events"], "{key}");
        assert!(found.parts.iter().all(|part| part.complete && !part.forgotten));
    }
    assert!(reader.keyed("order-20", Limits::NONE).records.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_into_the_limits_is_the_oldest() {
    let (_broker, client) = broker().await;
    let sender = client.sender().unwrap();
    for offset in 0..600 {
        let payload = format!("{offset:0100}");
        let payload = Some(payload.as_bytes());
        sender.send("orders.events.dlq", Some(b"o-1"), payload, headers(&[])).await.unwrap();
    }
    let reader = client.reader().unwrap();
    let offsets = |limits: Limits| {
        let read = reader.letters(limits);
        let offsets: Vec<_> = read.queue.letters().map(|one| one.place().offset).collect();
        assert_eq!(read.complete, offsets.len() == 600);
        (offsets.len(), offsets.first().copied(), offsets.last().copied())
    };
    assert_eq!(offsets(Limits::NONE), (600, Some(0), Some(599)));
    let few = Limits { kept_records: 10, ..Limits::NONE };
    assert_eq!(offsets(few), (10, Some(590), Some(599)));
    let read = Limits { records: 300, ..Limits::NONE };
    assert_eq!(offsets(read), (300, Some(300), Some(599)));
    let (count, _, last) = offsets(Limits { kept_bytes: 30_000, ..Limits::NONE });
    assert!(count > 50 && count < 250, "{count}");
    assert_eq!(last, Some(599));
    let late = Limits { time: Some(Duration::ZERO), ..Limits::NONE };
    assert_eq!(offsets(late), (0, None, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_event_cannot_be_decoded() {
    let (_broker, client) = broker().await;
    let sender = client.sender().unwrap();
    for topic in topics::ALL {
        let place = sender.poison(topic, Some("o-1"), "poison-1").await.unwrap();
        assert_eq!(place.topic, topic);
    }
    let refused = sender.poison("other", None, "poison-1").await.unwrap_err();
    assert!(refused.message().contains("orders.events"), "{refused}");
    let found = client.reader().unwrap().keyed("o-1", Limits::NONE);
    assert_eq!(found.records.len(), topics::ALL.len());
    let decoder = Decoder::new().unwrap();
    for record in &found.records {
        let payload = record.payload.as_deref().unwrap();
        assert!(decoder.event(&record.place.topic, payload).is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_say_how_much_they_retain_and_groups_who_reads() {
    let (_broker, client) = broker().await;
    client.sender().unwrap().poison("orders.events", None, "poison-1").await.unwrap();
    let reader = client.reader().unwrap();
    let all = reader.topics().unwrap();
    assert_eq!(all.len(), 2 * topics::ALL.len());
    let orders = all.iter().find(|topic| topic.name == "orders.events").unwrap();
    let retained: i64 = orders.partitions.iter().map(|one| one.high - one.low).sum();
    assert_eq!((orders.partitions.len(), retained), (3, 1));
    assert!(reader.groups().unwrap().is_empty());
    assert!(client.committed("payments", &all).unwrap().is_empty());
}
