//! The thread that polls librdkafka: its callbacks run within the poll, and may block this thread.

use std::{
    collections::HashMap,
    sync::{Arc, mpsc as sync},
    time::Duration,
};

use parking_lot::Mutex;
use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, KafkaResult},
    types::RDKafkaRespErr,
};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{
    connection::{ConnectionHealth, SILENT},
    owned::Owned,
    record::Record,
    unreadable::is_about_a_record,
    watermarks::HighWatermarks,
};
use crate::metrics::{IntCounter, IntGaugeVec};

/// How long one poll waits for a record. Between two polls the thread checks whether it should stop.
const POLL: Duration = Duration::from_millis(200);
/// How long a new owner of a partition waits to learn its committed offset. The client itself asks for it again and begins there:
/// without this answer, only a gap before the first record goes unnoticed.
const COMMITTED_TIMEOUT: Duration = Duration::from_secs(5);

/// A partition and an offset in it.
pub(crate) type Position = (String, i32, i64);

/// The input of the dispatcher, in the order in which it happened.
pub(crate) enum Input {
    Record(Record),
    /// A record of one of our partitions cannot be read. The client does not say which record.
    Refused(KafkaError),
    /// Partitions that this process owns from now on, and the offsets where they begin, if known.
    Assigned(Vec<(String, i32, Option<i64>)>),
    /// Partitions that are to be handed over, or were lost already. The answer says that nothing of them is in flight any more.
    Revoked {
        partitions: Vec<(String, i32)>,
        lost: bool,
        answer: sync::Sender<()>,
    },
    /// The committed offsets, from the client's statistics.
    Committed(Vec<Position>),
}

/// Called once, when the consumer has joined its group.
pub(crate) type Joined = Box<dyn FnOnce() + Send>;

/// The context that librdkafka calls back.
pub(crate) struct ConsumerCallbacks {
    pub(crate) group: &'static str,
    pub(crate) connection: ConnectionHealth,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) joined: Mutex<Option<Joined>>,
    pub(crate) hand_over: Duration,
    pub(crate) watermarks: Arc<HighWatermarks>,
    pub(crate) owned: Owned,
    pub(crate) assigned: IntGaugeVec,
    pub(crate) rebalances: IntCounter,
}

/// Polls until the dispatcher has ended, then commits the stored offsets and leaves the group.
pub(crate) fn run(consumer: Arc<BaseConsumer<ConsumerCallbacks>>) -> Result<(), KafkaError> {
    let callbacks = Arc::clone(consumer.context());
    // The channel is closed once the dispatcher has ended or was dropped.
    while !callbacks.inputs.is_closed() {
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => {
                callbacks.connection.up();
                let record = Record::from(&message);
                if callbacks.inputs.blocking_send(Input::Record(record)).is_err() {
                    break;
                }
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
            Some(Err(error)) => {
                callbacks.connection.failed(&error, "");
                if is_about_a_record(&error)
                    && callbacks.inputs.blocking_send(Input::Refused(error)).is_err()
                {
                    break;
                }
            }
        }
    }
    // Closes the consumer, unless another reference is left: it commits what is stored and leaves the group, so that the other
    // members need not wait until its session times out.
    drop(consumer);
    Ok(())
}

impl ConsumerCallbacks {
    fn assigned(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &TopicPartitionList,
    ) -> KafkaResult<()> {
        let committed = if list.count() == 0 {
            None
        } else {
            consumer.committed_offsets(list.clone(), COMMITTED_TIMEOUT).ok()
        };
        let start = |topic: &str, partition| {
            let found = committed.as_ref()?.find_partition(topic, partition)?;
            found.error().ok()?;
            if let Offset::Offset(offset) = found.offset() { Some(offset) } else { None }
        };
        let partitions: Vec<_> = list
            .elements()
            .iter()
            .map(|one| {
                (one.topic().to_owned(), one.partition(), start(one.topic(), one.partition()))
            })
            .collect();
        let names: Vec<_> =
            partitions.iter().map(|(topic, partition, _)| format!("{topic}/{partition}")).collect();
        tracing::info!(group = self.group, partitions = names.join(" "), "partitions assigned");
        self.rebalances.inc();
        for (topic, _, _) in &partitions {
            self.assigned.with_label_values(&[topic, self.group]).inc();
        }
        self.owned.add(&partitions);
        self.inputs.blocking_send(Input::Assigned(partitions)).ok();
        consumer.incremental_assign(list)?;
        self.joined();
        Ok(())
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> KafkaResult<()> {
        let lost = consumer.assignment_lost();
        let partitions: Vec<_> =
            list.elements().iter().map(|one| (one.topic().to_owned(), one.partition())).collect();
        let names: Vec<_> =
            partitions.iter().map(|(topic, partition)| format!("{topic}/{partition}")).collect();
        tracing::info!(
            group = self.group,
            partitions = names.join(" "),
            lost,
            "partitions revoked"
        );
        for (topic, partition) in &partitions {
            self.assigned.with_label_values(&[topic, self.group]).dec();
            self.owned.remove(topic, *partition);
        }
        let (answer, idle) = sync::channel();
        if self.inputs.blocking_send(Input::Revoked { partitions, lost, answer }).is_ok() {
            // The dispatcher keeps to the time limit by itself; the extra second is for a busy machine.
            if idle.recv_timeout(self.hand_over + Duration::from_secs(1)).is_err() {
                tracing::warn!(
                    group = self.group,
                    "partitions were handed over without waiting for what is in flight"
                );
            }
        }
        if lost {
            // The client would commit what is stored as a stranger to the group, which brokers accept while the group has no
            // members. A broker that lost its group has lost its log, too: events of the new log would be skipped.
            let mut nothing = list.clone();
            let cleared = nothing
                .set_all_offsets(Offset::Invalid)
                .and_then(|()| consumer.store_offsets(&nothing));
            if let Err(error) = cleared {
                tracing::error!(group = self.group, error = %error, "offsets of lost partitions may be committed");
            }
        }
        // The client commits what is stored for these partitions before it goes on with the rebalance.
        consumer.incremental_unassign(list)
    }

    /// Whether a partition has records at or after an offset.
    pub(crate) fn waits(&self, topic: &str, partition: i32, from: Option<i64>) -> bool {
        self.owned.end(topic, partition).is_some_and(|end| from.unwrap_or(0) < end)
    }

    fn joined(&self) {
        if let Some(joined) = self.joined.lock().take() {
            joined();
        }
    }
}

impl ClientContext for ConsumerCallbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.connection.line(level, facility, text);
    }

    fn error(&self, error: KafkaError, text: &str) {
        self.connection.failed(&error, text);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        let Ok(statistics) = serde_json::from_slice::<Statistics>(statistics) else { return };
        let mut committed = Vec::new();
        for (topic, of) in &statistics.topics {
            for (name, partition) in &of.partitions {
                // The statistics contain a partition -1, which stands for "unassigned".
                let Some(number) = name.parse().ok().filter(|number| *number >= 0) else {
                    continue;
                };
                let asked = self.watermarks.lag(topic, number, partition.committed_offset);
                // For an empty partition, in which nothing was ever committed, the client reports no lag.
                let empty = (partition.hi_offset == 0).then_some(0);
                let fetched = Some(partition.consumer_lag).filter(|lag| *lag >= 0).or(empty);
                self.owned.update(topic, number, asked.max(fetched), partition.hi_offset);
                committed.push((topic.clone(), number, partition.committed_offset));
            }
        }
        // If the dispatcher's queue is full, the next second's statistics will do.
        self.inputs.try_send(Input::Committed(committed)).ok();
        // A group with more members than partitions has members without partitions: they are ready, too.
        if statistics.cgrp.is_some_and(|group| group.join_state == "steady") {
            self.joined();
        }
        let up = statistics.brokers.values().filter(|broker| broker.state == "UP");
        let heard = up.filter_map(|broker| u64::try_from(broker.rxidle).ok()).min();
        match heard.map(Duration::from_micros) {
            Some(idle) if idle >= SILENT => self.connection.silent(idle),
            Some(_) => self.connection.up(),
            None => {}
        }
    }
}

impl ConsumerContext for ConsumerCallbacks {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(group = self.group, error = %error, "offsets were not committed, trying again");
        }
    }

    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let result = match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, list),
            _ => self.revoked(consumer, list),
        };
        if let Err(error) = result {
            tracing::error!(group = self.group, error = %error, "a rebalance failed");
        }
    }
}

/// The part of the client's statistics that is read: <https://github.com/confluentinc/librdkafka/blob/v2.12.1/STATISTICS.md>
#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: HashMap<String, TopicStatistics>,
    #[serde(default)]
    brokers: HashMap<String, BrokerStatistics>,
    cgrp: Option<GroupStatistics>,
}

#[derive(Deserialize)]
struct TopicStatistics {
    partitions: HashMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    consumer_lag: i64,
    committed_offset: i64,
    /// The end of the log at the last fetch.
    hi_offset: i64,
}

#[derive(Deserialize)]
struct BrokerStatistics {
    state: String,
    /// Microseconds since anything was last received.
    rxidle: i64,
}

#[derive(Deserialize)]
struct GroupStatistics {
    join_state: String,
}
