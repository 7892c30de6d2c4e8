//! Sends letters to their original topics, notes about them, and records that no service can read.

use std::{collections::HashSet, time::Duration};

use chassis::{Error, Kind, events::dead_letter, kafka::headers};
use proto::topics;
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer},
};

use crate::{
    client::{Client, unavailable},
    connection::ConnectionErrors,
    letter::{HANDLED, Handled, Letter, NOTE},
    record::Place,
};

/// Sends letters, and notes about them.
pub struct Sender {
    producer: FutureProducer<ConnectionErrors>,
    connection_errors: ConnectionErrors,
    brokers: String,
    timeout: Duration,
    /// The topics that exist: for any other topic, the client would wait until its timeout.
    topics: HashSet<String>,
}

impl Client {
    /// Connects for letters and notes.
    ///
    /// # Errors
    /// No broker answers in time; the message has the cause.
    pub fn sender(&self) -> Result<Sender, Error> {
        let mut config = self.config();
        config.set("acks", "all").set("enable.idempotence", "true").set("linger.ms", "0");
        config.set("message.timeout.ms", self.timeout().as_millis().to_string());
        config.set("queue.buffering.max.kbytes", "4096");
        let connection_errors = ConnectionErrors::of(&mut config);
        let producer = config
            .create_with_context(connection_errors.clone())
            .map_err(unavailable("no Kafka client"))?;
        let (brokers, timeout) = (self.brokers().to_owned(), self.timeout());
        let mut sender =
            Sender { producer, connection_errors, brokers, timeout, topics: HashSet::new() };
        sender.topics = sender.ask()?;
        Ok(sender)
    }
}

impl Sender {
    /// The topics of the broker.
    ///
    /// # Errors
    /// The broker does not answer, so sending to it is of no use.
    pub fn ask(&self) -> Result<HashSet<String>, Error> {
        let metadata = self.producer.client().fetch_metadata(None, self.timeout);
        let metadata = metadata.map_err(|cause| {
            let text = self.connection_errors.explain(&self.brokers);
            Error::new(Kind::Unavailable, text).reason("KAFKA_UNAVAILABLE").source(cause)
        })?;
        Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
    }

    /// Sends a letter to its original topic, for the group that could not handle it; then writes a note. After a failure between
    /// the two it may be sent again, which does no harm: a consumer that has handled the event recognizes its id.
    ///
    /// # Errors
    /// The letter is truncated or does not name its topic, or the brokers do not take it.
    pub async fn replay(&self, letter: &Letter) -> Result<(), Error> {
        letter.ensure_whole()?;
        let headers = dead_letter::replayed(letter.record.headers.as_borrowed());
        let origin = letter.origin()?;
        self.ensure_topic(&origin)?;
        let (key, payload) = (letter.record.key.as_deref(), letter.record.payload.as_deref());
        self.send(&origin, key, payload, headers).await?;
        self.note(letter, Handled::Replayed).await.map_err(|error| {
            let text = "was sent, but that could not be noted: it stays in the list";
            Error::new(error.kind(), text).reason("KAFKA_UNAVAILABLE").source(error)
        })
    }

    /// Writes a note that the letter will not be replayed.
    ///
    /// # Errors
    /// The brokers do not take it.
    pub async fn give_up(&self, letter: &Letter) -> Result<(), Error> {
        self.note(letter, Handled::GivenUp).await
    }

    /// Sends a record that is no event to a topic of the mesh; returns where it is. `id` becomes the event's id. The record does not
    /// claim a type, because a consumer passes over the types that it does not handle.
    ///
    /// # Errors
    /// It is no topic of the mesh, or the brokers do not take the record.
    pub async fn poison(&self, topic: &str, key: Option<&str>, id: &str) -> Result<Place, Error> {
        if !topics::ALL.contains(&topic) {
            let text =
                format!("{topic:?} is no topic of events; expected one of {:?}", topics::ALL);
            return Err(Error::new(Kind::NotFound, text).reason("NO_SUCH_TOPIC"));
        }
        self.ensure_topic(topic)?;
        let values = [
            (headers::ID, id),
            (headers::SOURCE, "/mesh/lens"),
            (headers::SPECVERSION, "1.0"),
            (headers::CONTENT_TYPE, "application/protobuf"),
        ];
        let insert = |all: OwnedHeaders, (key, value): (&str, &str)| {
            all.insert(Header { key, value: Some(value) })
        };
        let headers = values.into_iter().fold(OwnedHeaders::new(), insert);
        self.send(topic, key.map(str::as_bytes), Some(POISON), headers).await
    }

    fn ensure_topic(&self, topic: &str) -> Result<(), Error> {
        if self.topics.contains(topic) {
            return Ok(());
        }
        let text = format!("there is no topic {topic:?}");
        Err(Error::new(Kind::Precondition, text).reason("NO_SUCH_TOPIC"))
    }

    async fn note(&self, letter: &Letter, handled: Handled) -> Result<(), Error> {
        let place = letter.place();
        let note = format!("{}/{}", place.partition, place.offset);
        let headers = OwnedHeaders::new()
            .insert(Header { key: NOTE, value: Some(&note) })
            .insert(Header { key: HANDLED, value: Some(handled.as_str()) });
        self.send(&place.topic, letter.record.key.as_deref(), None, headers).await.map(drop)
    }

    pub(crate) async fn send(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: OwnedHeaders,
    ) -> Result<Place, Error> {
        let mut record = FutureRecord::<[u8], [u8]>::to(topic).headers(headers);
        record.key = key;
        record.payload = payload;
        let sent = self.producer.send(record, self.timeout).await;
        let sent =
            sent.map_err(|(error, _)| unavailable(format!("cannot send to {topic}"))(error))?;
        Ok(Place { topic: topic.to_owned(), partition: sent.partition, offset: sent.offset })
    }
}

/// No protobuf message begins like this: the first field would have a wire type that does not exist.
const POISON: &[u8] = b"\xff\xff\xff";
