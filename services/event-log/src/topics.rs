//! How full the topics are, and who reads them.

use std::collections::BTreeMap;

use chassis::{Error, events::dead_letter};
use proto::topics;
use rdkafka::{Offset, TopicPartitionList, consumer::Consumer};

use crate::client::{Client, Reader, unavailable};

/// A topic.
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its partitions; none if the broker has no such topic.
    pub partitions: Vec<Partition>,
}

/// A partition and its watermarks.
pub struct Partition {
    /// Its number.
    pub partition: i32,
    /// The first offset that the broker still has.
    pub low: i64,
    /// The offset of the next record.
    pub high: i64,
    /// When the oldest record was sent, in milliseconds since the Unix epoch; `None` if there is none, or it does not say so.
    pub oldest_ms: Option<i64>,
}

/// A consumer group.
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its state in the broker's words: `Stable`, `Empty`, `PreparingRebalance`.
    pub state: String,
    /// Its members.
    pub members: Vec<Member>,
}

/// A member of a group: one process.
pub struct Member {
    /// The name that the client gives itself.
    pub client: String,
    /// The client's address.
    pub host: String,
}

impl Reader {
    /// The topics of events and their dead-letter topics, with the watermarks of all partitions.
    ///
    /// # Errors
    /// The brokers do not answer in time.
    pub fn topics(&self) -> Result<Vec<Topic>, Error> {
        let names = topics::ALL.iter().map(|name| (*name).to_owned());
        let names = names.chain(topics::ALL.map(dead_letter::topic));
        names
            .map(|name| {
                let count = self.partitions(&name).unwrap_or_default();
                let partitions = (0..count).map(|partition| self.watermarks(&name, partition));
                Ok(Topic { partitions: partitions.collect::<Result<_, Error>>()?, name })
            })
            .collect()
    }

    fn watermarks(&self, topic: &str, partition: i32) -> Result<Partition, Error> {
        let marks = self.consumer.fetch_watermarks(topic, partition, self.client.timeout());
        let (low, high) = marks.map_err(unavailable("no watermarks"))?;
        let oldest = if low < high { self.first(topic, partition, low)? } else { None };
        Ok(Partition { partition, low, high, oldest_ms: oldest.and_then(|one| one.sent_ms) })
    }

    /// All consumer groups that have consumed or want to.
    ///
    /// # Errors
    /// The brokers do not answer in time.
    pub fn groups(&self) -> Result<Vec<Group>, Error> {
        let list = self.consumer.fetch_group_list(None, self.client.timeout());
        let list = list.map_err(unavailable("no list of the groups"))?;
        let consumers = list.groups().iter().filter(|group| group.protocol_type() == "consumer");
        Ok(consumers
            .map(|group| Group {
                name: group.name().to_owned(),
                state: group.state().to_owned(),
                members: group
                    .members()
                    .iter()
                    .map(|member| Member {
                        client: member.client_id().to_owned(),
                        host: member.client_host().trim_start_matches('/').to_owned(),
                    })
                    .collect(),
            })
            .collect())
    }
}

impl Client {
    /// The offsets that a group has committed, by topic and partition. It needs a connection of its own, so ask only for groups
    /// whose members do not say it themselves.
    ///
    /// # Errors
    /// The brokers do not answer in time.
    pub fn committed(
        &self,
        group: &str,
        all: &[Topic],
    ) -> Result<BTreeMap<(String, i32), i64>, Error> {
        let reader = self.reader_as(group)?;
        let mut wanted = TopicPartitionList::new();
        for topic in all.iter().filter(|topic| !topic.name.ends_with(topics::DEAD_LETTER_SUFFIX)) {
            for partition in &topic.partitions {
                wanted.add_partition(&topic.name, partition.partition);
            }
        }
        let found = reader.consumer.committed_offsets(wanted, self.timeout());
        let found = found.map_err(unavailable("no committed offsets"))?;
        let committed = found.elements().into_iter().filter_map(|one| match one.offset() {
            Offset::Offset(offset) => Some(((one.topic().to_owned(), one.partition()), offset)),
            _ => None,
        });
        Ok(committed.collect())
    }
}
