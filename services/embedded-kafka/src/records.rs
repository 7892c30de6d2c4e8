//! Produce, ListOffsets, OffsetForLeaderEpoch.

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
        OffsetForLeaderEpochResponse, ProduceRequest, ProduceResponse, TopicName,
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult},
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
};

use super::{batch::LEADER_EPOCH, log::Log, node::Node, store::Store};

/// From this version on, an answer contains the leader epoch.
const WITH_EPOCHS: i16 = 4;

/// Timestamps with a special meaning.
mod time {
    pub(super) const END: i64 = -1;
    pub(super) const START: i64 = -2;
    pub(super) const LATEST: i64 = -3;
}

/// The offset at which a batch was stored, and the first offset of its partition.
type Stored = Result<(i64, i64), ResponseError>;

/// Stores a batch; if the logs are full, foreign groups give way.
pub(super) fn store(node: &Node, topic: &TopicName, partition: i32, records: Bytes) -> Stored {
    let stored = node.store.append(topic, partition, records.clone());
    if stored != Err(ResponseError::NotEnoughReplicas) {
        return stored;
    }
    node.store.make_room(records.len(), &node.groups.giving_way());
    node.store.append(topic, partition, records)
}

/// The answer to a producer about its batch.
pub(super) fn stored(partition: i32, stored: Stored) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(partition);
    match stored {
        Ok((base, start)) => response.with_base_offset(base).with_log_start_offset(start),
        Err(error) => response.with_base_offset(-1).with_error_code(error.code()),
    }
}

/// `None` if the producer wants no acknowledgement.
pub(super) fn produce(node: &Node, request: ProduceRequest) -> Option<ProduceResponse> {
    let acknowledged = request.acks != 0;
    let topics = request.topic_data.into_iter().map(|topic| {
        let partitions = topic.partition_data.into_iter().map(|partition| {
            let records = partition.records.unwrap_or_default();
            stored(partition.index, store(node, &topic.name, partition.index, records))
        });
        let partitions = partitions.collect();
        TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partitions)
    });
    let response = ProduceResponse::default().with_responses(topics.collect());
    acknowledged.then_some(response)
}

pub(super) fn list_offsets(
    store: &Store,
    request: ListOffsetsRequest,
    version: i16,
) -> ListOffsetsResponse {
    let epoch = if version < WITH_EPOCHS { -1 } else { LEADER_EPOCH };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let response = ListOffsetsPartitionResponse::default()
                .with_partition_index(partition.partition_index);
            let found = store.with(&topic.name, partition.partition_index, |log| {
                place(log, partition.timestamp)
            });
            match found {
                Ok((offset, timestamp)) => {
                    response.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(epoch)
                }
                Err(error) => response.with_error_code(error.code()),
            }
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// An offset with its time; -1 if there is none.
fn place(log: &Log, timestamp: i64) -> (i64, i64) {
    match timestamp {
        time::END => (log.end(), -1),
        time::START => (log.start(), -1),
        time::LATEST => log.latest().unwrap_or((-1, -1)),
        timestamp => log.since(timestamp).unwrap_or((-1, -1)),
    }
}

/// The end of the only leader epoch: the end of the log.
pub(super) fn epoch_ends(
    store: &Store,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let response = EpochEndOffset::default().with_partition(partition.partition);
            match store.with(&topic.topic, partition.partition, |log| log.end()) {
                Ok(end) if partition.leader_epoch == LEADER_EPOCH => {
                    response.with_leader_epoch(LEADER_EPOCH).with_end_offset(end)
                }
                Ok(_) => response,
                Err(error) => response.with_error_code(error.code()),
            }
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}
