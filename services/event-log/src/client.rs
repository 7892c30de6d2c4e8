//! How to reach the brokers, and a client that reads from them.

use std::time::Duration;

use chassis::{
    Error, Kind,
    kafka::{Profile, Settings},
};
use rdkafka::{ClientConfig, consumer::BaseConsumer, metadata::Metadata};

use crate::connection::{self, ConnectionErrors};

/// How to reach the brokers. Cheap: it has no connection.
#[derive(Clone)]
pub struct Client {
    name: &'static str,
    settings: Settings,
    timeout: Duration,
}

impl Client {
    /// `name` is what brokers see; `timeout` is how long they may take for one answer.
    pub fn new(name: &'static str, settings: Settings, timeout: Duration) -> Self {
        Self { name, settings, timeout }
    }

    /// Connects for reading.
    ///
    /// # Errors
    /// No broker answers in time; the message has the cause.
    pub fn reader(&self) -> Result<Reader, Error> {
        self.reader_as(self.name)
    }

    /// Connects for reading what this group has committed; it does not join the group.
    pub(crate) fn reader_as(&self, group: &str) -> Result<Reader, Error> {
        let mut config = self.config();
        // The client requires a group name; it joins no group and commits nothing. An empty fetch reports a partition's end.
        config.set("group.id", group).set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true").set("auto.offset.reset", "earliest");
        for (name, value) in FETCH {
            config.set(name, value);
        }
        let connection_errors = ConnectionErrors::of(&mut config);
        let consumer: BaseConsumer<ConnectionErrors> = config
            .create_with_context(connection_errors)
            .map_err(unavailable("no Kafka client"))?;
        let metadata = connection::metadata(&consumer, &self.settings.brokers, self.timeout)?;
        Ok(Reader { client: self.clone(), consumer, metadata })
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.settings.brokers).set("client.id", self.name);
        config.set("allow.auto.create.topics", "false");
        if self.settings.profile == Profile::Embedded {
            config.set("broker.address.family", "v4");
        } else {
            self.settings.secure(&mut config);
        }
        config
    }

    pub(crate) fn brokers(&self) -> &str {
        &self.settings.brokers
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// What a client fetches ahead is bounded: whoever reads backwards throws away what is behind the end of a window.
const FETCH: [(&str, &str); 6] = [
    ("fetch.wait.max.ms", "10"),
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.max.bytes", "1000000"),
    ("max.partition.fetch.bytes", "65536"),
    ("queued.min.messages", "1000"),
    ("queued.max.messages.kbytes", "1024"),
];

/// A client that reads; it is connected, and knows the topics.
pub struct Reader {
    pub(crate) client: Client,
    pub(crate) consumer: BaseConsumer<ConnectionErrors>,
    pub(crate) metadata: Metadata,
}

impl Reader {
    /// The number of partitions of a topic; `None` if there is no such topic.
    pub fn partitions(&self, topic: &str) -> Option<i32> {
        let found = self.metadata.topics().iter().find(|one| one.name() == topic)?;
        i32::try_from(found.partitions().len()).ok().filter(|count| *count > 0)
    }
}

/// Makes an error of a failure of the brokers, or of the way to them.
pub(crate) fn unavailable<E: std::error::Error + Send + Sync + 'static>(
    what: impl Into<String>,
) -> impl FnOnce(E) -> Error {
    move |cause| {
        Error::new(Kind::Unavailable, what.into()).reason("KAFKA_UNAVAILABLE").source(cause)
    }
}

/// An error and its causes, in one line.
pub(crate) fn explained(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
