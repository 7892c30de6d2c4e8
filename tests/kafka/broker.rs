//! A Kafka broker for the stories, embedded or real; and helpers that every story needs.

use std::{thread::sleep, time::Duration};

use embedded_kafka as kafka;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{OwnedHeaders, OwnedMessage},
    producer::{FutureProducer, FutureRecord, future_producer::DeliveryFuture},
};
use tokio::{runtime::Runtime, time::Instant};
use uuid::Uuid;

/// Far longer than any step takes; only a failing story waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long one poll takes.
pub(crate) const A_MOMENT: Duration = Duration::from_millis(20);

/// An embedded broker, which ends with its story, or a real one, which stories share.
pub(crate) struct Broker {
    pub(crate) address: String,
    runtime: Runtime,
    embedded: Option<kafka::Broker>,
}

impl Broker {
    /// A broker with the topics of the mesh.
    pub(crate) fn embedded() -> Self {
        let topic = |name: &str| kafka::Topic {
            name: name.into(),
            partitions: proto::topics::PARTITIONS as usize,
            retention: kafka::Retention::Consumed,
        };
        let topics = proto::topics::ALL.map(topic).into();
        Self::embedded_with(kafka::Settings { topics, ..kafka::Settings::default() })
    }

    pub(crate) fn embedded_with(settings: kafka::Settings) -> Self {
        let runtime = Runtime::new().unwrap();
        let broker =
            runtime.block_on(kafka::Broker::start(([127, 0, 0, 1], 0).into(), settings)).unwrap();
        Self { address: broker.bootstrap_servers().into(), runtime, embedded: Some(broker) }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "which broker to test is not a setting of the mesh"
    )]
    pub(crate) fn real() -> Self {
        let address = std::env::var("REAL_KAFKA").expect("REAL_KAFKA is the address of a broker");
        Self { address, runtime: Runtime::new().unwrap(), embedded: None }
    }

    /// Why the broker accepts no more records; `None` if it does.
    pub(crate) fn full(&self) -> Option<kafka::Full> {
        self.embedded.as_ref()?.monitor().full()
    }

    pub(crate) fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address).set("broker.address.family", "v4");
        config.set("allow.auto.create.topics", "false").set("log_level", "3");
        config
    }

    /// Tries to create a topic.
    pub(crate) fn make(&self, name: &str, partitions: i32) -> Result<(), RDKafkaErrorCode> {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let made = self.runtime.block_on(admin.create_topics(&[topic], &options)).unwrap();
        made.into_iter().next().unwrap().map(drop).map_err(|(_, code)| code)
    }

    /// Tries to delete a group.
    pub(crate) fn forget(&self, group: &str) -> Result<(), RDKafkaErrorCode> {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let deleted = self.runtime.block_on(admin.delete_groups(&[group], &options)).unwrap();
        deleted.into_iter().next().unwrap().map(drop).map_err(|(_, code)| code)
    }

    /// A new topic for the story, ready to be used.
    pub(crate) fn topic(&self, partitions: i32) -> String {
        let name = unique("story");
        self.make(&name, partitions).unwrap();
        let consumer: BaseConsumer = self.client().create().unwrap();
        until("a topic with leaders", || {
            let metadata = consumer.fetch_metadata(Some(&name), PATIENCE).unwrap();
            let found = metadata.topics()[0].partitions();
            found.len() == partitions as usize && found.iter().all(|one| one.leader() >= 0)
        });
        name
    }

    /// Sends one record, and returns its offset once it is stored.
    pub(crate) fn send(&self, config: &ClientConfig, record: Sent<'_>) -> Result<i64, KafkaError> {
        self.send_all(config, vec![record]).remove(0)
    }

    /// Sends the records one after the other, without waiting in between.
    pub(crate) fn send_all(
        &self,
        config: &ClientConfig,
        records: Vec<Sent<'_>>,
    ) -> Vec<Result<i64, KafkaError>> {
        let producer: FutureProducer = config.create().unwrap();
        let _entered = self.runtime.enter();
        let deliveries: Vec<_> = records
            .into_iter()
            .map(|record| producer.send_result(record.future()).map_err(|(error, _)| error))
            .collect();
        let place = |delivery: Result<DeliveryFuture, KafkaError>| match delivery {
            Ok(delivery) => match self.runtime.block_on(delivery) {
                Ok(Ok(delivered)) => Ok(delivered.offset),
                Ok(Err((error, _))) => Err(error),
                Err(_) => Err(KafkaError::Canceled),
            },
            Err(error) => Err(error),
        };
        deliveries.into_iter().map(place).collect()
    }

    /// A consumer of one partition, from an offset on.
    pub(crate) fn reader(&self, topic: &str, partition: i32, from: Offset) -> BaseConsumer {
        self.reader_with(&self.client(), topic, partition, from)
    }

    pub(crate) fn reader_with(
        &self,
        config: &ClientConfig,
        topic: &str,
        partition: i32,
        from: Offset,
    ) -> BaseConsumer {
        let mut config = config.clone();
        config.set("group.id", unique("reader")).set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, from).unwrap();
        consumer.assign(&list).unwrap();
        consumer
    }

    /// A member of a consumer group, subscribed to a topic.
    pub(crate) fn member(&self, group: &str, topic: &str, strategy: &str) -> BaseConsumer {
        let mut config = self.client();
        config.set("group.id", group).set("enable.auto.commit", "false");
        config.set("auto.offset.reset", "earliest").set("session.timeout.ms", "6000");
        config.set("heartbeat.interval.ms", "500").set("partition.assignment.strategy", strategy);
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&[topic]).unwrap();
        consumer
    }
}

/// A record to send.
#[derive(Clone, Default)]
pub(crate) struct Sent<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) key: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) timestamp: Option<i64>,
    pub(crate) headers: Option<OwnedHeaders>,
}

impl<'a> Sent<'a> {
    pub(crate) fn new(topic: &'a str, partition: i32, payload: &'a [u8]) -> Self {
        Self { topic, partition, payload, ..Self::default() }
    }

    fn future(self) -> FutureRecord<'a, str, [u8]> {
        let mut record = FutureRecord::to(self.topic).partition(self.partition).key(self.key);
        record.payload = Some(self.payload);
        record.timestamp = self.timestamp;
        record.headers = self.headers;
        record
    }
}

/// Panics unless the record was stored.
pub(crate) fn stored(sent: Result<i64, KafkaError>) {
    sent.unwrap();
}

/// The next records; panics if an error comes in between.
pub(crate) fn next(consumer: &BaseConsumer, count: usize) -> Vec<OwnedMessage> {
    let mut found = Vec::new();
    until(&format!("{count} records"), || {
        if let Some(message) = consumer.poll(A_MOMENT) {
            found.push(message.unwrap().detach());
        }
        found.len() >= count
    });
    found
}

pub(crate) fn text(message: &OwnedMessage) -> String {
    String::from_utf8(message.payload().unwrap_or_default().to_vec()).unwrap()
}

/// A unique name.
pub(crate) fn unique(what: &str) -> String {
    format!("{what}-{}", Uuid::new_v4().simple())
}

/// Repeats the check until it is true.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(1));
    }
}
