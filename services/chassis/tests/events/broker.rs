//! A mock broker for one test, and a client of it that belongs to no service.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList, bindings,
    consumer::{BaseConsumer, CommitMode, Consumer},
    message::{Header, Headers, OwnedHeaders, OwnedMessage},
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer},
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use crate::contract::TOPICS;

const LONG: Duration = Duration::from_secs(60);

/// A broker with the mesh's topics.
pub(crate) struct Broker {
    owner: BaseProducer,
    pub(crate) address: String,
    /// The id of its log.
    pub(crate) log: String,
}

impl Broker {
    pub(crate) fn start() -> Self {
        Self::with_partitions(3)
    }

    #[expect(unsafe_code, reason = "rdkafka has no other way to make the first join quick")]
    pub(crate) fn with_partitions(partitions: i32) -> Self {
        let owner: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .set("log_level", "3")
            .create()
            .unwrap();
        // SAFETY: the cluster belongs to `owner`, which is alive.
        unsafe {
            let cluster = bindings::rd_kafka_handle_mock_cluster(owner.client().native_ptr());
            bindings::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        }
        let address = owner.client().mock_cluster().unwrap().bootstrap_servers();
        let broker = Self { owner, address, log: uuid::Uuid::new_v4().to_string() };
        for topic in TOPICS {
            broker.cluster().create_topic(topic, partitions, 1).unwrap();
            broker.cluster().create_topic(&format!("{topic}.dlq"), 1, 1).unwrap();
        }
        broker
    }

    fn cluster(&self) -> MockCluster<'_, DefaultProducerContext> {
        self.owner.client().mock_cluster().unwrap()
    }

    pub(crate) fn down(&self) {
        self.cluster().broker_down(1).unwrap();
    }

    pub(crate) fn up(&self) {
        self.cluster().broker_up(1).unwrap();
    }

    /// Answers the next produce requests with these errors.
    pub(crate) fn refuse(&self, errors: &[RDKafkaRespErr]) {
        self.cluster().request_errors(RDKafkaApiKey::Produce, errors);
    }

    /// Tells the next member of a group that sends a heartbeat that the group does not know it.
    pub(crate) fn forget_a_member(&self) {
        let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID;
        self.cluster().request_errors(RDKafkaApiKey::Heartbeat, &[unknown]);
    }

    /// Counts the commits from now on.
    #[expect(unsafe_code, reason = "rdkafka does not offer the requests of its mock cluster")]
    pub(crate) fn count_commits(&self) {
        // SAFETY: the cluster belongs to `owner`, which is alive.
        unsafe {
            let cluster = bindings::rd_kafka_handle_mock_cluster(self.owner.client().native_ptr());
            bindings::rd_kafka_mock_clear_requests(cluster);
            bindings::rd_kafka_mock_start_request_tracking(cluster);
        }
    }

    /// Returns how many commits were counted.
    #[expect(unsafe_code, reason = "rdkafka does not offer the requests of its mock cluster")]
    pub(crate) fn commits(&self) -> usize {
        let mut count = 0;
        // SAFETY: the cluster belongs to `owner`, which is alive; the array and its elements are read before they are destroyed.
        unsafe {
            let cluster = bindings::rd_kafka_handle_mock_cluster(self.owner.client().native_ptr());
            let requests = bindings::rd_kafka_mock_get_requests(cluster, &raw mut count);
            let all = std::slice::from_raw_parts(requests, count);
            let commit = RDKafkaApiKey::OffsetCommit as i16;
            let commits = all
                .iter()
                .filter(|one| bindings::rd_kafka_mock_request_api_key(**one) == commit)
                .count();
            bindings::rd_kafka_mock_request_destroy_array(requests, count);
            commits
        }
    }

    /// Commits an offset of partition 0 for a group that has no members.
    pub(crate) fn commit(&self, group: &str, topic: &str, offset: i64) {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
        consumer.commit(&list, CommitMode::Sync).unwrap();
    }

    /// Makes a topic appear not to exist, or to exist again.
    pub(crate) fn lose(&self, topic: &str, lost: bool) {
        let error = match lost {
            true => RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
            false => RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
        };
        self.cluster().topic_error(topic, error).unwrap();
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address).set("broker.address.family", "v4");
        config
            .set("group.id", "stranger")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "10");
        config
    }

    /// Refuses every request about a topic, for good.
    pub(crate) fn forbid(&self, topic: &str) {
        self.cluster()
            .topic_error(topic, RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            .unwrap();
    }

    /// Sends a record directly, e.g. one that no relay would send.
    pub(crate) fn send(&self, topic: &str, key: &str, payload: &[u8], headers: &[(&str, &str)]) {
        self.send_in("none", topic, key, payload, headers);
    }

    /// Sends a record with this compression codec.
    pub(crate) fn send_in(
        &self,
        codec: &str,
        topic: &str,
        key: &str,
        payload: &[u8],
        headers: &[(&str, &str)],
    ) {
        let mut config = self.client();
        config.remove("group.id").set("acks", "all").set("message.max.bytes", "5000000");
        let producer: BaseProducer = config.set("compression.type", codec).create().unwrap();
        let headers = headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(*value) })
        });
        producer.send(BaseRecord::to(topic).key(key).payload(payload).headers(headers)).unwrap();
        producer.flush(LONG).unwrap();
    }

    /// Appends a batch unchanged to partition 0, which a client library would not do: with a Produce request of version 7.
    /// <https://kafka.apache.org/protocol.html#The_Messages_Produce>
    pub(crate) fn append(&self, topic: &str, batch: &[u8]) {
        let mut request = Vec::new();
        request.extend([0, 0, 0, 7, 0, 0, 0, 1, 0, 1, b's']); // api, version, correlation id, client id
        request.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 39, 16, 0, 0, 0, 1]); // no transaction, acks=all, 10 s, one topic
        request.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
        request.extend(topic.as_bytes());
        request.extend([0, 0, 0, 1, 0, 0, 0, 0]); // one partition: 0
        request.extend(u32::try_from(batch.len()).unwrap().to_be_bytes());
        request.extend(batch);
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(&request).unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer).unwrap();
        let error = 4 + 4 + 2 + topic.len() + 4 + 4;
        assert_eq!(answer[error..error + 2], [0, 0], "the broker refused the batch");
    }

    /// Returns all records that are on a topic now.
    pub(crate) fn records(&self, topic: &str) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), LONG).unwrap();
        let mut missing = 0;
        let mut list = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            let (low, high) = consumer.fetch_watermarks(topic, partition.id(), LONG).unwrap();
            missing += high - low;
            list.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let mut records = Vec::new();
        while (records.len() as i64) < missing {
            let record = consumer.poll(LONG).expect("a record that the broker says it has");
            records.push(record.unwrap().detach());
        }
        records
    }

    /// Returns the sum of the offsets that a group has committed in all partitions of a topic.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> i64 {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), LONG).unwrap();
        let mut list = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            list.add_partition(topic, partition.id());
        }
        let committed = consumer.committed_offsets(list, LONG).unwrap();
        let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
        committed.elements().iter().map(|one| offset(one.offset())).sum()
    }
}

/// Returns the text of a header.
pub(crate) fn header<'a>(message: &'a OwnedMessage, name: &str) -> Option<&'a str> {
    let found = message.headers()?.iter().find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}
