//! Access to the dead-letter topics on the broker.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, bail, ensure};
use chassis::{events::dead_letter, kafka::Settings};
use proto::topics;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{BorrowedMessage, Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer},
};
use tokio::time::Instant;

use super::letter::{HANDLED, Handled, Letter, NOTE, Place, Queue};
use crate::{connection_errors, connection_errors::ConnectionErrors, running::Kafka};

/// How long the broker may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Broker {
    kafka: Kafka,
    /// How to connect to the brokers.
    settings: Settings,
}

impl Broker {
    pub(super) fn new(kafka: Kafka, settings: Settings) -> Self {
        Self { kafka, settings }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.kafka.brokers).set("client.id", "mesh-dlq");
        config.set("allow.auto.create.topics", "false");
        if self.kafka.embedded {
            config.set("broker.address.family", "v4");
        } else {
            self.settings.secure(&mut config);
        }
        config
    }

    /// Reads all dead-letter topics from the first record to the one that is the last now; also returns a text for each partition
    /// that it could not read.
    pub(super) fn read(&self) -> anyhow::Result<(Queue, Vec<String>)> {
        let mut config = self.config();
        // The client requires a group name; it joins no group and commits nothing. An empty fetch reports a partition's end.
        config.set("group.id", "mesh-dlq").set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true").set("fetch.wait.max.ms", "10");
        let connection_errors = ConnectionErrors::of(&mut config);
        let consumer: BaseConsumer<ConnectionErrors> =
            config.create_with_context(connection_errors)?;
        let metadata = connection_errors::metadata(&consumer, &self.kafka.brokers, BROKER_TIMEOUT)?;
        let wanted = topics::ALL.map(dead_letter::topic);
        let (mut records, mut unread) = (Vec::new(), Vec::new());
        for topic in
            metadata.topics().iter().filter(|topic| wanted.iter().any(|name| name == topic.name()))
        {
            for partition in topic.partitions() {
                match partition_of(&consumer, topic.name(), partition.id()) {
                    Ok(read) => records.extend(read),
                    Err(error) => unread.push(format!(
                        "cannot read {}/{}: {error:#}",
                        topic.name(),
                        partition.id()
                    )),
                }
            }
        }
        Ok((Queue::new(records), unread))
    }

    /// A producer for letters and notes.
    pub(super) fn sender(&self) -> anyhow::Result<Sender> {
        let mut config = self.config();
        config.set("acks", "all").set("enable.idempotence", "true").set("linger.ms", "0");
        config.set("message.timeout.ms", BROKER_TIMEOUT.as_millis().to_string());
        let connection_errors = ConnectionErrors::of(&mut config);
        let producer = config.create_with_context(connection_errors.clone())?;
        let brokers = self.kafka.brokers.clone();
        let mut sender = Sender { producer, connection_errors, brokers, topics: HashSet::new() };
        sender.topics = sender.ask()?;
        Ok(sender)
    }
}

/// Sends letters, and notes about them.
pub(super) struct Sender {
    producer: FutureProducer<ConnectionErrors>,
    connection_errors: ConnectionErrors,
    brokers: String,
    /// The topics that exist: for any other topic, the client would wait until its timeout.
    topics: HashSet<String>,
}

impl Sender {
    /// The topics of the broker.
    ///
    /// # Errors
    /// The broker does not answer, so sending to it is of no use.
    pub(super) fn ask(&self) -> anyhow::Result<HashSet<String>> {
        let metadata = self.producer.client().fetch_metadata(None, BROKER_TIMEOUT);
        let metadata = metadata.with_context(|| self.connection_errors.explain(&self.brokers))?;
        Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
    }

    /// Sends a letter to its original topic, for the group that could not handle it; then writes a note. After a failure between
    /// the two it may be sent again, which does no harm: a consumer that has handled the event recognizes its id.
    pub(super) async fn replay(&self, letter: &Letter) -> anyhow::Result<()> {
        letter.ensure_whole()?;
        let headers = dead_letter::replayed(letter.headers.as_borrowed());
        let origin = letter.origin()?;
        ensure!(self.topics.contains(&origin), "there is no topic {origin:?}");
        self.send(&origin, letter.key.as_deref(), letter.payload.as_deref(), headers).await?;
        let noted = self.note(letter, Handled::Replayed).await;
        noted.context("was sent, but that could not be noted: it stays in the list")
    }

    /// Writes a note that the letter will not be replayed.
    pub(super) async fn give_up(&self, letter: &Letter) -> anyhow::Result<()> {
        self.note(letter, Handled::GivenUp).await
    }

    async fn note(&self, letter: &Letter, handled: Handled) -> anyhow::Result<()> {
        let place = format!("{}/{}", letter.place.partition, letter.place.offset);
        let note = Header { key: NOTE, value: Some(&place) };
        let headers = OwnedHeaders::new()
            .insert(note)
            .insert(Header { key: HANDLED, value: Some(handled.as_str()) });
        self.send(&letter.place.topic, letter.key.as_deref(), None, headers).await
    }

    async fn send(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: OwnedHeaders,
    ) -> anyhow::Result<()> {
        let mut record = FutureRecord::<[u8], [u8]>::to(topic).headers(headers);
        record.key = key;
        record.payload = payload;
        match self.producer.send(record, BROKER_TIMEOUT).await {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error).with_context(|| format!("cannot send to {topic}")),
        }
    }
}

fn partition_of(
    consumer: &BaseConsumer<ConnectionErrors>,
    topic: &str,
    partition: i32,
) -> anyhow::Result<Vec<Letter>> {
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    let mut records = Vec::new();
    let mut deadline = Instant::now() + BROKER_TIMEOUT;
    loop {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(records),
            Some(Ok(message)) => {
                records.push(letter(&message));
                deadline = Instant::now() + BROKER_TIMEOUT;
            }
            // Connections may fail for a moment: an error is returned only when no record has come for long.
            Some(Err(error)) if Instant::now() >= deadline => return Err(error.into()),
            None if Instant::now() >= deadline => {
                bail!("nothing came for {} s", BROKER_TIMEOUT.as_secs())
            }
            Some(Err(_)) | None => {}
        }
    }
}

fn letter(message: &BorrowedMessage<'_>) -> Letter {
    Letter {
        place: Place {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
        },
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().map(<[u8]>::to_vec),
        headers: message.headers().map_or_else(OwnedHeaders::new, |headers| headers.detach()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::embedded_broker;

    impl Sender {
        /// A letter whose header says that it was on `origin`.
        pub(in crate::dlq) async fn send_dead(&self, origin: &str) -> anyhow::Result<()> {
            let header = Header { key: dead_letter::TOPIC, value: Some(origin) };
            let headers = OwnedHeaders::new().insert(header);
            self.send("orders.events.dlq", Some(b"o-1"), Some(b"payload"), headers).await
        }
    }

    fn dead(sender: &Sender, id: &str) -> impl Future<Output = anyhow::Result<()>> {
        let insert = |all: OwnedHeaders, (key, value): (&str, &str)| {
            all.insert(Header { key, value: Some(value) })
        };
        let headers = [
            ("ce_id", id),
            (dead_letter::TOPIC, "orders.events"),
            (dead_letter::GROUP, "payments"),
        ];
        let headers = headers.into_iter().fold(OwnedHeaders::new(), insert);
        sender.send("orders.events.dlq", Some(b"o-1"), Some(b"payload"), headers)
    }

    // Reading blocks a thread, and the broker needs another.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_letter_is_replayed_once_and_noted() {
        let embedded = embedded_broker(([127, 0, 0, 1], 0).into()).await;
        let broker = Broker::new(
            Kafka { brokers: embedded.bootstrap_servers().to_owned(), embedded: true },
            Settings::default(),
        );
        let sender = broker.sender().unwrap();
        dead(&sender, "1").await.unwrap();
        dead(&sender, "2").await.unwrap();
        let (queue, unread) = broker.read().unwrap();
        assert_eq!(unread, Vec::<String>::new());
        let letters: Vec<_> = queue.letters().collect();
        assert_eq!(letters.len(), 2);
        sender.replay(letters[0]).await.unwrap();
        sender.give_up(letters[1]).await.unwrap();
        let (after, _) = broker.read().unwrap();
        let handled: Vec<_> = after.letters().map(|letter| after.handled(letter)).collect();
        assert_eq!(handled, [Some(Handled::Replayed), Some(Handled::GivenUp)]);
        let replayed = replayed(&broker);
        assert_eq!(replayed.len(), 1);
        assert_eq!(
            (replayed[0].header("ce_id"), replayed[0].header(dead_letter::GROUP)),
            ("1".into(), "payments".into())
        );
        assert_eq!(
            (replayed[0].key(), replayed[0].payload.as_deref()),
            ("o-1".into(), Some(b"payload".as_slice()))
        );
    }

    fn replayed(broker: &Broker) -> Vec<Letter> {
        let mut config = broker.config();
        config
            .set("group.id", "test")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer<ConnectionErrors> =
            config.create_with_context(ConnectionErrors::default()).unwrap();
        (0..topics::PARTITIONS)
            .flat_map(|partition| partition_of(&consumer, "orders.events", partition).unwrap())
            .collect()
    }
}
