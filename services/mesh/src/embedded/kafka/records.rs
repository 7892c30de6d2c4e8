//! Records in and out: Produce, Fetch, and where offsets are.

use std::{sync::Arc, time::Duration};

use kafka_protocol::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, ProduceRequest, ProduceResponse,
    fetch_request::FetchPartition,
    fetch_response::{FetchableTopicResponse, PartitionData},
    list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
    offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult},
    produce_response::{PartitionProduceResponse, TopicProduceResponse},
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{batch::LEADER_EPOCH, log::Log, store::Store};

/// Of one answer, whatever a client asks for: it is put together in memory.
const MOST_BYTES: usize = 4 << 20;
/// Longer than any client waits.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Times that stand for places.
mod time {
    pub(super) const END: i64 = -1;
    pub(super) const START: i64 = -2;
    pub(super) const LATEST: i64 = -3;
}

/// `None` if nobody wants to know.
pub(super) fn produce(store: &Store, request: ProduceRequest) -> Option<ProduceResponse> {
    let acknowledged = request.acks != 0;
    let topics = request.topic_data.into_iter().map(|topic| {
        let partitions = topic.partition_data.into_iter().map(|partition| {
            let response = PartitionProduceResponse::default().with_index(partition.index);
            let records = partition.records.unwrap_or_default();
            match store.append(&topic.name, partition.index, records) {
                Ok((base, start)) => response.with_base_offset(base).with_log_start_offset(start),
                Err(error) => response.with_base_offset(-1).with_error_code(error.code()),
            }
        });
        let partitions = partitions.collect();
        TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partitions)
    });
    let response = ProduceResponse::default().with_responses(topics.collect());
    acknowledged.then_some(response)
}

/// Answered as soon as there is as much as the client wants, or when its patience ends.
pub(super) async fn fetch(
    store: &Store,
    waiting: &Arc<Notify>,
    request: FetchRequest,
) -> FetchResponse {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + wait.min(LONGEST_WAIT);
    let wanted = usize::try_from(request.min_bytes).unwrap_or(0).min(MOST_BYTES);
    loop {
        let found = read(store, waiting, &request);
        if found.size >= wanted || found.failed || Instant::now() >= deadline {
            return found.response;
        }
        timeout_at(deadline, waiting.notified()).await.ok();
    }
}

struct Found {
    response: FetchResponse,
    size: usize,
    failed: bool,
}

fn read(store: &Store, waiting: &Arc<Notify>, request: &FetchRequest) -> Found {
    let most = usize::try_from(request.max_bytes).unwrap_or(0).min(MOST_BYTES);
    let (mut size, mut failed) = (0, false);
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            let data = PartitionData::default().with_partition_index(wanted.partition);
            let read = store.with(&topic.topic, wanted.partition, |log| {
                read_log(log, waiting, wanted, most.saturating_sub(size), size == 0, &data)
            });
            let data = read.unwrap_or_else(|error| data.with_error_code(error.code()));
            size += data.records.as_ref().map_or(0, |records| records.len());
            failed |= data.error_code != 0;
            partitions.push(data);
        }
        let response = FetchableTopicResponse::default().with_topic(topic.topic.clone());
        topics.push(response.with_partitions(partitions));
    }
    Found { response: FetchResponse::default().with_responses(topics), size, failed }
}

fn read_log(
    log: &mut Log,
    waiting: &Arc<Notify>,
    wanted: &FetchPartition,
    most: usize,
    at_least_one: bool,
    data: &PartitionData,
) -> PartitionData {
    let data = data
        .clone()
        .with_high_watermark(log.end())
        .with_last_stable_offset(log.end())
        .with_log_start_offset(log.start());
    let most = most.min(usize::try_from(wanted.partition_max_bytes).unwrap_or(0));
    match log.read(wanted.fetch_offset, most, at_least_one) {
        Ok(records) => {
            if records.is_empty() {
                log.wait(waiting);
            }
            data.with_records(Some(records))
        }
        Err(error) => data.with_error_code(error.code()),
    }
}

pub(super) fn list_offsets(store: &Store, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let response = ListOffsetsPartitionResponse::default()
                .with_partition_index(partition.partition_index);
            let found = store.with(&topic.name, partition.partition_index, |log| {
                place(log, partition.timestamp)
            });
            match found {
                Ok((offset, timestamp)) => response
                    .with_offset(offset)
                    .with_timestamp(timestamp)
                    .with_leader_epoch(LEADER_EPOCH),
                Err(error) => response.with_error_code(error.code()),
            }
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// An offset with its time; -1 stands for none.
fn place(log: &Log, timestamp: i64) -> (i64, i64) {
    match timestamp {
        time::END => (log.end(), -1),
        time::START => (log.start(), -1),
        time::LATEST => log.latest().unwrap_or((-1, -1)),
        timestamp => log.since(timestamp).unwrap_or((-1, -1)),
    }
}

/// Where the only epoch there is ends: at the end.
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
