//! The requests that this broker supports, each with the versions that it supports of them.

use std::ops::RangeInclusive;

use kafka_protocol::messages::ApiKey;

/// The supported requests and versions. Later versions of Fetch, Produce and DeleteTopics name topics by ids.
pub(super) const APIS: [(ApiKey, RangeInclusive<i16>); 25] = [
    (ApiKey::Produce, 3..=12),
    (ApiKey::Fetch, 4..=12),
    (ApiKey::ListOffsets, 1..=7),
    (ApiKey::Metadata, 1..=12),
    (ApiKey::OffsetCommit, 2..=9),
    (ApiKey::OffsetFetch, 1..=9),
    (ApiKey::FindCoordinator, 0..=5),
    (ApiKey::JoinGroup, 0..=9),
    (ApiKey::Heartbeat, 0..=4),
    (ApiKey::LeaveGroup, 0..=5),
    (ApiKey::SyncGroup, 0..=5),
    (ApiKey::DescribeGroups, 0..=5),
    (ApiKey::ListGroups, 0..=5),
    (ApiKey::ApiVersions, 0..=4),
    (ApiKey::CreateTopics, 2..=7),
    (ApiKey::DeleteTopics, 1..=5),
    (ApiKey::DeleteRecords, 0..=2),
    (ApiKey::InitProducerId, 0..=4),
    (ApiKey::OffsetForLeaderEpoch, 2..=4),
    (ApiKey::DescribeConfigs, 1..=4),
    (ApiKey::CreatePartitions, 0..=3),
    (ApiKey::DeleteGroups, 0..=2),
    (ApiKey::OffsetDelete, 0..=0),
    (ApiKey::DescribeCluster, 0..=1),
    // Supported only to be refused: without it, librdkafka looks for another coordinator for ever.
    (ApiKey::ConsumerGroupHeartbeat, 0..=1),
];

/// Returns the supported versions of a request; the range is empty if the request is unknown.
pub(super) fn versions_of(key: i16) -> RangeInclusive<i16> {
    let known = APIS.iter().find(|(known, _)| *known as i16 == key);
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "an empty range: no version of an unknown request is supported"
    )]
    known.map_or(0..=-1, |(_, versions)| versions.clone())
}
