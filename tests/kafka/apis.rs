//! Every advertised version of every request works: its response can be decoded.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsRequest, ConsumerGroupHeartbeatRequest, CreatePartitionsRequest,
        CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
        DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest, FetchRequest,
        FindCoordinatorRequest, GroupId, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest,
        LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, MetadataRequest,
        OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest,
        ProduceRequest, SyncGroupRequest, TopicName,
        create_partitions_request::CreatePartitionsTopic,
        create_topics_request::CreatableTopic,
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
        describe_configs_request::DescribeConfigsResource,
        fetch_request::{FetchPartition, FetchTopic},
        join_group_request::JoinGroupRequestProtocol,
        leave_group_request::MemberIdentity,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        metadata_request::MetadataRequestTopic,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
        offset_fetch_request::{
            OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
        },
        offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::{Request, StrBytes},
};

use crate::{
    administration,
    broker::{Broker, unique},
    producers::batch,
    wire::{self, Wire},
};

/// Sends requests in all versions that the client library and the broker both support, and records these versions.
struct Caller {
    broker: Broker,
    advertised: BTreeMap<i16, (i16, i16)>,
    called: BTreeMap<i16, Vec<i16>>,
    frames: Vec<BytesMut>,
}

impl Caller {
    fn new(broker: Broker) -> Self {
        let answer = Wire::open(&broker).call(0, &ApiVersionsRequest::default());
        let versions = answer.api_keys.iter();
        let versions = versions.map(|one| (one.api_key, (one.min_version, one.max_version)));
        Self { advertised: versions.collect(), called: BTreeMap::new(), frames: Vec::new(), broker }
    }

    /// Sends a request in every version, each on a connection of its own.
    fn call<R: Request>(&mut self, request: impl Fn(i16) -> R) -> Vec<R::Response> {
        let Some((from, to)) = self.advertised.get(&R::KEY) else { return Vec::new() };
        let key = ApiKey::try_from(R::KEY).unwrap();
        let mut known = key.valid_versions();
        // Later versions identify topics by id.
        known.max = match key {
            ApiKey::Produce | ApiKey::Fetch => 12,
            ApiKey::OffsetCommit | ApiKey::OffsetFetch => 9,
            _ => known.max,
        };
        let mut answers = Vec::new();
        for version in (*from).max(known.min)..=(*to).min(known.max) {
            let request = request(version);
            self.frames.push(wire::frame(version, 1, &request));
            answers.push(Wire::open(&self.broker).call(version, &request));
            self.called.entry(R::KEY).or_default().push(version);
        }
        answers
    }
}

fn name(text: &str) -> StrBytes {
    StrBytes::from(text.to_owned())
}

fn produce(topic: &TopicName) -> ProduceRequest {
    let records = Some(batch(-1, -1, -1..0));
    let partition = PartitionProduceData::default().with_records(records);
    let topic = TopicProduceData::default().with_name(topic.clone());
    let request = ProduceRequest::default().with_transactional_id(None).with_acks(-1);
    request.with_topic_data(vec![topic.with_partition_data(vec![partition])])
}

fn records(caller: &mut Caller, topic: &TopicName) {
    for response in caller.call(|_| produce(topic)) {
        assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
    }
    for response in caller.call(|_| {
        let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default().with_topic(topic.clone());
        FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_topics(vec![topic.with_partitions(vec![partition])])
    }) {
        let partition = &response.responses[0].partitions[0];
        assert_eq!((partition.error_code, partition.partition_index), (0, 0));
        assert!(partition.high_watermark > 0);
        assert!(partition.records.as_ref().is_some_and(|records| !records.is_empty()));
    }
    for response in caller.call(|_| {
        let partition = ListOffsetsPartition::default().with_timestamp(-1);
        let topic = ListOffsetsTopic::default().with_name(topic.clone());
        let request = ListOffsetsRequest::default().with_replica_id((-1).into());
        request.with_topics(vec![topic.with_partitions(vec![partition])])
    }) {
        let partition = &response.topics[0].partitions[0];
        assert!(partition.error_code == 0 && partition.offset > 0, "{partition:?}");
    }
    for response in caller.call(|_| {
        let partition = OffsetForLeaderPartition::default().with_leader_epoch(0);
        let topic = OffsetForLeaderTopic::default().with_topic(topic.clone());
        let request = OffsetForLeaderEpochRequest::default().with_replica_id((-1).into());
        request.with_topics(vec![topic.with_partitions(vec![partition])])
    }) {
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
    }
    let producer = InitProducerIdRequest::default().with_transactional_id(None);
    // A broker that has just started has no producer ids yet: it answers COORDINATOR_LOAD_IN_PROGRESS, and the client
    // retries.
    for _ in 0..200 {
        if Wire::open(&caller.broker).call(2, &producer).error_code != 14 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    for response in caller.call(|_| producer.clone()) {
        assert!(response.error_code == 0 && response.producer_id.0 >= 0, "{response:?}");
    }
}

fn cluster(caller: &mut Caller, topic: &TopicName) {
    for response in caller.call(|_| {
        let topic = MetadataRequestTopic::default().with_name(Some(topic.clone()));
        MetadataRequest::default().with_topics(Some(vec![topic]))
    }) {
        assert_eq!((response.topics[0].error_code, response.brokers.len()), (0, 1));
        assert_eq!(response.topics[0].partitions.len(), 1);
    }
    for response in caller.call(|_| {
        let request = ApiVersionsRequest::default().with_client_software_name(name("story"));
        request.with_client_software_version(name("1"))
    }) {
        assert_eq!(response.error_code, 0);
    }
    for response in caller.call(|_| DescribeClusterRequest::default()) {
        assert_eq!((response.error_code, response.brokers.len()), (0, 1));
    }
    for response in caller.call(|version| {
        let request = FindCoordinatorRequest::default();
        let group = name("group");
        if version < 4 {
            request.with_key(group)
        } else {
            request.with_coordinator_keys(vec![group])
        }
    }) {
        let several = response.coordinators.first().map(|one| (one.error_code, one.port));
        let (error, port) = several.unwrap_or((response.error_code, response.port));
        assert!(error == 0 && port > 0, "{response:?}");
    }
}

fn administration(caller: &mut Caller, topic: &TopicName) {
    for response in caller.call(|_| {
        let topic = CreatableTopic::default().with_name(TopicName(name(&unique("checked"))));
        CreateTopicsRequest::default()
            .with_topics(vec![topic.with_num_partitions(1).with_replication_factor(1)])
            .with_validate_only(true)
    }) {
        assert_eq!(response.topics[0].error_code, 0, "{response:?}");
    }
    for response in caller.call(|_| {
        let topic = CreatePartitionsTopic::default().with_name(topic.clone()).with_count(2);
        let request = CreatePartitionsRequest::default().with_timeout_ms(10_000);
        request.with_validate_only(true).with_topics(vec![topic.with_assignments(None)])
    }) {
        assert_eq!(response.results[0].error_code, 0, "{response:?}");
    }
    for response in caller.call(|_| {
        let resource = DescribeConfigsResource::default().with_resource_type(2);
        let resource = resource.with_resource_name(topic.0.clone()).with_configuration_keys(None);
        DescribeConfigsRequest::default().with_resources(vec![resource])
    }) {
        assert_eq!(response.results[0].error_code, 0);
        assert!(response.results[0].configs.len() > 5);
    }
    for response in caller.call(|_| {
        let partition = DeleteRecordsPartition::default().with_offset(1);
        let topic = DeleteRecordsTopic::default().with_name(topic.clone());
        let topics = vec![topic.with_partitions(vec![partition])];
        DeleteRecordsRequest::default().with_topics(topics).with_timeout_ms(10_000)
    }) {
        assert_eq!(response.topics[0].partitions[0].low_watermark, 1, "{response:?}");
    }
    let nowhere = || TopicName(name(&unique("nowhere")));
    for response in caller.call(|version| {
        let request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
        match version {
            ..6 => request.with_topic_names(vec![nowhere()]),
            _ => request.with_topics(vec![Default::default()]),
        }
    }) {
        assert_ne!(response.responses[0].error_code, 0);
    }
}

/// Requests of clients that are not members of the group.
fn strangers(caller: &mut Caller, group: &GroupId) {
    caller.call(|_| {
        let protocol = JoinGroupRequestProtocol::default().with_name(name("range"));
        JoinGroupRequest::default()
            .with_group_id(group.clone())
            .with_member_id(name("unknown"))
            .with_session_timeout_ms(6000)
            .with_rebalance_timeout_ms(6000)
            .with_protocol_type(name("consumer"))
            .with_protocols(vec![protocol.with_metadata(Bytes::from_static(b"x"))])
    });
    caller.call(|_| {
        let request = SyncGroupRequest::default().with_group_id(group.clone());
        let request = request.with_protocol_type(Some(name("consumer")));
        request.with_member_id(name("x")).with_protocol_name(Some(name("range")))
    });
    caller.call(|_| HeartbeatRequest::default().with_group_id(group.clone()));
    caller.call(|version| {
        let request = LeaveGroupRequest::default().with_group_id(group.clone());
        match version {
            ..3 => request.with_member_id(name("unknown")),
            _ => request.with_members(vec![MemberIdentity::default().with_member_id(name("x"))]),
        }
    });
    for response in caller.call(|_| {
        let request = ConsumerGroupHeartbeatRequest::default().with_group_id(group.clone());
        request.with_member_id(name("x")).with_subscribed_topic_names(None)
    }) {
        assert_ne!(response.error_code, 0);
    }
}

fn groups(caller: &mut Caller, topic: &TopicName) {
    let group = GroupId(name(&unique("group")));
    // Once a commit is accepted, the broker has learned that it coordinates groups.
    let mut wire = Wire::open(&caller.broker);
    assert_eq!(administration::commit(&mut wire, topic, &group, "about"), 0);
    strangers(caller, &group);
    for response in caller.call(|_| {
        let partition = OffsetCommitRequestPartition::default()
            .with_committed_offset(1)
            .with_committed_metadata(Some(name("about")));
        let topic = OffsetCommitRequestTopic::default().with_name(topic.clone());
        OffsetCommitRequest::default()
            .with_group_id(group.clone())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic.with_partitions(vec![partition])])
    }) {
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
    }
    for response in caller.call(|version| {
        let request = OffsetFetchRequest::default();
        if version < 8 {
            let topic = OffsetFetchRequestTopic::default().with_name(topic.clone());
            let topics = Some(vec![topic.with_partition_indexes(vec![0])]);
            return request.with_group_id(group.clone()).with_topics(topics);
        }
        let topic = OffsetFetchRequestTopics::default().with_name(topic.clone());
        let topics = Some(vec![topic.with_partition_indexes(vec![0])]);
        let group = OffsetFetchRequestGroup::default().with_group_id(group.clone());
        request.with_groups(vec![group.with_member_id(None).with_topics(topics)])
    }) {
        let one = response.topics.first().map(|topic| topic.partitions[0].committed_offset);
        let several = || response.groups[0].topics[0].partitions[0].committed_offset;
        assert_eq!(one.unwrap_or_else(several), 1);
    }
    described(caller, &group);
    for response in caller.call(|_| {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(0);
        let topic = OffsetDeleteRequestTopic::default().with_name(topic.clone());
        let topics = vec![topic.with_partitions(vec![partition])];
        OffsetDeleteRequest::default().with_group_id(group.clone()).with_topics(topics)
    }) {
        assert_eq!(response.error_code, 0, "{response:?}");
    }
    caller.call(|_| DeleteGroupsRequest::default().with_groups_names(vec![group.clone()]));
}

fn described(caller: &mut Caller, group: &GroupId) {
    for response in
        caller.call(|_| DescribeGroupsRequest::default().with_groups(vec![group.clone()]))
    {
        let state = &*response.groups[0].group_state;
        assert_eq!((response.groups[0].error_code, state), (0, "Empty"));
    }
    for response in caller.call(|_| ListGroupsRequest::default()) {
        assert_eq!(response.error_code, 0);
        assert!(response.groups.iter().any(|one| one.group_id == *group), "{response:?}");
    }
}

/// Sends every request.
fn call_all(broker: Broker) -> Caller {
    let topic = TopicName(name(&broker.topic(1)));
    let mut caller = Caller::new(broker);
    records(&mut caller, &topic);
    cluster(&mut caller, &topic);
    groups(&mut caller, &topic);
    administration(&mut caller, &topic);
    caller
}

/// Valid requests of every version, and the broker that has answered them.
pub(crate) fn frames(broker: Broker) -> (Vec<BytesMut>, Broker) {
    let caller = call_all(broker);
    (caller.frames, caller.broker)
}

pub(crate) fn every_advertised_version_is_answered(broker: Broker) {
    let caller = call_all(broker);
    if !caller.broker.is_embedded() {
        return;
    }
    for (key, (from, to)) in &caller.advertised {
        let called = caller.called.get(key).cloned().unwrap_or_default();
        // Apache Kafka advertises earlier versions of Produce, too, for clients that would not compress otherwise, and
        // refuses them.
        let from = if *key == 0 { 3 } else { *from };
        assert_eq!(called, (from..=*to).collect::<Vec<_>>(), "{:?}", ApiKey::try_from(*key));
    }
}
