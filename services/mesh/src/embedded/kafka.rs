//! The embedded Kafka broker: librdkafka's mock cluster, the real protocol over TCP, kept in memory.
//!
//! What it cannot do, and the services allow for: it keeps 5 MiB a partition and forgets what is older, forgets everything
//! with its process, and has no admin API (which is why the topics are made here).

use anyhow::Context;
use proto::topics;
use rdkafka::{
    ClientConfig, bindings,
    mocking::MockCluster,
    producer::{BaseProducer, DefaultProducerContext, Producer},
};

/// One broker: more would only cost threads, since they are all in this process.
const BROKERS: &str = "1";
/// Its number in the cluster.
const BROKER: i32 = 1;
/// A dead-letter topic is read by people, not shared by replicas.
const DEAD_LETTER_PARTITIONS: i32 = 1;

/// A running broker; dropped, it is gone with everything that was in it.
pub struct Broker {
    /// Owns the cluster; it neither produces nor is polled.
    owner: BaseProducer,
    bootstrap_servers: String,
}

impl Broker {
    /// Starts it on a free port of the loopback interface, with every topic of the mesh and their dead-letter topics.
    ///
    /// # Errors
    /// No thread or no port is to be had.
    pub fn start() -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        config.set("test.mock.num.brokers", BROKERS);
        // Of the client that owns the cluster; what it has to say is about itself.
        config.set("log_level", "3");
        let owner: BaseProducer = config.create().context("start the embedded kafka broker")?;
        no_rebalance_delay(&owner);
        let bootstrap_servers = {
            let cluster = cluster(&owner)?;
            create_topics(&cluster)?;
            cluster.bootstrap_servers()
        };
        Ok(Self { owner, bootstrap_servers })
    }

    /// Where clients find it: `host:port`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Drops all connections and refuses new ones; what is in the topics stays.
    ///
    /// # Errors
    /// The cluster does not know its own broker.
    pub fn pause(&self) -> anyhow::Result<()> {
        cluster(&self.owner)?.broker_down(BROKER).context("take the embedded kafka broker down")
    }

    /// Accepts connections again.
    ///
    /// # Errors
    /// The cluster does not know its own broker.
    pub fn resume(&self) -> anyhow::Result<()> {
        cluster(&self.owner)?.broker_up(BROKER).context("bring the embedded kafka broker up")
    }
}

fn cluster(owner: &BaseProducer) -> anyhow::Result<MockCluster<'_, DefaultProducerContext>> {
    owner.client().mock_cluster().context("librdkafka was built without its mock cluster")
}

/// The admin protocol is not there, and a topic that is made by its first use has another number of partitions.
fn create_topics(cluster: &MockCluster<'_, DefaultProducerContext>) -> anyhow::Result<()> {
    for topic in topics::ALL {
        let dead_letters = format!("{topic}{}", topics::DEAD_LETTER_SUFFIX);
        for (name, partitions) in
            [(topic, topics::PARTITIONS), (&dead_letters, DEAD_LETTER_PARTITIONS)]
        {
            cluster
                .create_topic(name, partitions, 1)
                .with_context(|| format!("create topic {name}"))?;
        }
    }
    Ok(())
}

/// A consumer group's first members get their partitions at once; by default the broker waits 3 s for more of them,
/// which would be most of the time from `mesh up` to ready.
#[expect(
    unsafe_code,
    reason = "rdkafka hides the mock cluster's handle, and has no other way to set this"
)]
fn no_rebalance_delay(owner: &BaseProducer) {
    // SAFETY: `owner` is borrowed, so its native client is alive, and the cluster belongs to it; the call that changes the
    // cluster takes its lock. A client without a cluster has a null handle, which is not passed on.
    unsafe {
        let cluster = bindings::rd_kafka_handle_mock_cluster(owner.client().native_ptr());
        if !cluster.is_null() {
            bindings::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::consumer::{BaseConsumer, Consumer};
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn every_topic_is_there_with_its_partitions() {
        let broker = Broker::start().unwrap();
        let client: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .create()
            .unwrap();
        let metadata = client.client().fetch_metadata(None, Duration::from_secs(10)).unwrap();
        let partitions = |name: &str| {
            metadata
                .topics()
                .iter()
                .find(|topic| topic.name() == name)
                .map(|topic| topic.partitions().len())
        };
        for topic in topics::ALL {
            assert_eq!(partitions(topic), Some(topics::PARTITIONS as usize), "{topic}");
            assert_eq!(partitions(&format!("{topic}.dlq")), Some(1), "{topic}.dlq");
        }
    }

    #[test]
    fn the_first_member_of_a_group_does_not_wait_for_others() {
        let broker = Broker::start().unwrap();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .set("group.id", "first")
            .create()
            .unwrap();
        consumer.subscribe(&[topics::ORDERS.name]).unwrap();
        let begun = Instant::now();
        while consumer.assignment().unwrap().count() == 0 {
            consumer.poll(Duration::from_millis(10));
            // It would be 3 s.
            assert!(begun.elapsed() < Duration::from_millis(2500), "no partitions yet");
        }
    }

    #[test]
    fn a_paused_broker_answers_nobody_until_it_is_resumed() {
        let broker = Broker::start().unwrap();
        let answers = |timeout| {
            let client: BaseProducer = ClientConfig::new()
                .set("bootstrap.servers", broker.bootstrap_servers())
                .set("log_level", "0")
                .create()
                .unwrap();
            client.client().fetch_metadata(None, timeout).is_ok()
        };
        broker.pause().unwrap();
        assert!(!answers(Duration::from_millis(300)));
        broker.resume().unwrap();
        assert!(answers(Duration::from_secs(10)));
    }
}
