//! The groups' offsets: OffsetCommit and OffsetFetch.

use std::collections::BTreeSet;

use kafka_protocol::{
    ResponseError,
    messages::{
        GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest,
        OffsetFetchResponse, TopicName,
        offset_commit_request::OffsetCommitRequestPartition,
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch_response::{
            OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
    },
    protocol::StrBytes,
};

use super::{
    coordinator::Coordinator, group::Identity, limits::MAX_OFFSET_METADATA, log::Committed,
    store::Store, wire::code,
};

/// From this version on, a client may ask for several groups at once.
const SEVERAL_GROUPS: i16 = 8;

pub(super) fn commit(
    store: &Store,
    groups: &Coordinator,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let who = Identity {
        id: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id_or_member_epoch,
    };
    let topics = &request.topics;
    let each = |done: &dyn Fn(&TopicName, &OffsetCommitRequestPartition) -> Done| {
        let topics = topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                OffsetCommitResponsePartition::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(code(&done(&topic.name, partition)))
            });
            let partitions = partitions.collect();
            let topic = OffsetCommitResponseTopic::default().with_name(topic.name.clone());
            topic.with_partitions(partitions)
        });
        OffsetCommitResponse::default().with_topics(topics.collect())
    };
    let group = &request.group_id;
    let committed = groups.commit(store, group, who, |is_own| {
        each(&|topic, partition| commit_one(store, topic, partition, group, is_own))
    });
    committed.unwrap_or_else(|error| each(&|_, _| Err(error)))
}

type Done = Result<(), ResponseError>;

fn commit_one(
    store: &Store,
    topic: &TopicName,
    partition: &OffsetCommitRequestPartition,
    group: &str,
    is_own: bool,
) -> Done {
    let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
    if metadata.encode_utf16().count() > MAX_OFFSET_METADATA {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    let committed = Committed {
        offset: Some(partition.committed_offset),
        epoch: partition.committed_leader_epoch,
        metadata: metadata.to_owned(),
    };
    store.commit(topic, partition.partition_index, group, committed, is_own)
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
    // Each group once, however often the request names it.
    let mut asked = BTreeSet::new();
    let groups_asked = request.groups.into_iter();
    let groups_asked = groups_asked.filter(|group| asked.insert(group.group_id.clone()));
    let all = groups_asked.map(|group| {
        let topics = group.topics.map(|topics| {
            topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
        });
        let topics = of_group(store, groups, &group.group_id, topics);
        OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics)
    });
    response.with_groups(all.collect())
}

/// The offsets of a group in the partitions that the client asks for, or in all where it has committed.
fn of_group(
    store: &Store,
    groups: &Coordinator,
    group: &GroupId,
    topics: Option<Vec<(TopicName, Vec<i32>)>>,
) -> Vec<OffsetFetchResponseTopics> {
    let all = topics.is_none();
    let topics = topics.unwrap_or_else(|| {
        let every = store.topics().into_iter();
        let indexes = |count| (0..i32::try_from(count).unwrap_or(0)).collect();
        every.map(|(name, count)| (TopicName(StrBytes::from(name)), indexes(count))).collect()
    });
    groups.look(group, |has_members| {
        let one = |name: &TopicName, index: i32| {
            // If the group has no offset yet, the present records are kept for it. A partition that does not exist has no offset.
            let committed = if has_members && !all {
                store.reserve(name, index, group)
            } else {
                store.with(name, index, |log| log.committed(group).cloned()).ok().flatten()
            };
            described(index, committed)
        };
        let topics = topics.into_iter().map(|(name, indexes)| {
            let partitions = indexes.into_iter().map(|index| one(&name, index));
            let partitions = partitions.filter(|one| !all || one.committed_offset >= 0).collect();
            OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
        });
        topics.filter(|topic| !all || !topic.partitions.is_empty()).collect()
    })
}

fn described(index: i32, committed: Option<Committed>) -> OffsetFetchResponsePartitions {
    let response = OffsetFetchResponsePartitions::default().with_partition_index(index);
    match committed {
        Some(Committed { offset, epoch, metadata }) => response
            .with_committed_offset(offset.unwrap_or(-1))
            .with_committed_leader_epoch(epoch)
            .with_metadata(Some(metadata.into())),
        None => response.with_committed_offset(-1).with_metadata(Some(StrBytes::default())),
    }
}

/// Converts an answer to the form of earlier versions.
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
