//! How far groups are: OffsetCommit and OffsetFetch.

use kafka_protocol::{
    messages::{
        GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest,
        OffsetFetchResponse, TopicName,
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch_response::{
            OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
    },
    protocol::StrBytes,
};

use super::{code, coordinator::Coordinator, log::Committed, store::Store};

/// Kafka's own `offset.metadata.max.bytes`.
const LONGEST_METADATA: usize = 4096;
/// From here on several groups may be asked for at once.
const SEVERAL_GROUPS: i16 = 8;

pub(super) fn commit(
    store: &Store,
    groups: &Coordinator,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let generation = request.generation_id_or_member_epoch;
    let allowed = groups.may_commit(&request.group_id, &request.member_id, generation);
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
            let committed = Committed {
                offset: Some(partition.committed_offset),
                epoch: partition.committed_leader_epoch,
                metadata: metadata.chars().take(LONGEST_METADATA).collect(),
            };
            let index = partition.partition_index;
            let done = allowed
                .and_then(|()| store.commit(&topic.name, index, &request.group_id, committed));
            OffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(code(&done))
        });
        let partitions = partitions.collect();
        OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

pub(super) fn fetch(
    store: &Store,
    groups: &Coordinator,
    request: OffsetFetchRequest,
    version: i16,
) -> OffsetFetchResponse {
    let response = OffsetFetchResponse::default();
    if version < SEVERAL_GROUPS {
        let topics = request.topics.map(|topics| {
            topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
        });
        let topics = of_group(store, groups, &request.group_id, topics);
        return response.with_topics(topics.into_iter().map(before_groups).collect());
    }
    let all = request.groups.into_iter().map(|group| {
        let topics = group.topics.map(|topics| {
            topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
        });
        let topics = of_group(store, groups, &group.group_id, topics);
        OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics)
    });
    response.with_groups(all.collect())
}

/// Of the partitions that are asked for, or of all where it has committed.
fn of_group(
    store: &Store,
    groups: &Coordinator,
    group: &GroupId,
    topics: Option<Vec<(TopicName, Vec<i32>)>>,
) -> Vec<OffsetFetchResponseTopics> {
    let is_member = groups.has_members(group);
    let all = topics.is_none();
    let topics = topics.unwrap_or_else(|| {
        let every = store.topics().into_iter();
        let indexes = |count| (0..i32::try_from(count).unwrap_or(0)).collect();
        every.map(|(name, count)| (TopicName(StrBytes::from(name)), indexes(count))).collect()
    });
    let topics = topics.into_iter().map(|(name, indexes)| {
        let partitions = indexes.into_iter().map(|index| {
            let response = OffsetFetchResponsePartitions::default()
                .with_partition_index(index)
                .with_committed_offset(-1)
                .with_metadata(Some(StrBytes::default()));
            // Where a group has nothing yet, its beginning is kept for it. A partition that is not there has no offset.
            let committed = store.with(&name, index, |log| {
                if is_member && !all {
                    log.reserve(group);
                }
                log.committed(group).cloned()
            });
            match committed.ok().flatten() {
                Some(Committed { offset, epoch, metadata }) => response
                    .with_committed_offset(offset.unwrap_or(-1))
                    .with_committed_leader_epoch(epoch)
                    .with_metadata(Some(metadata.into())),
                None => response,
            }
        });
        let partitions = partitions.filter(|one| !all || one.committed_offset >= 0).collect();
        OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
    });
    topics.filter(|topic| !all || !topic.partitions.is_empty()).collect()
}

/// The same in the words of earlier versions.
fn before_groups(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partitions = topic.partitions.into_iter().map(|partition| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_metadata(partition.metadata)
    });
    OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions.collect())
}
