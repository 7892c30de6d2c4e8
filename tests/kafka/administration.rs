//! What operators do: create, change and delete topics and groups. A refusal is permanent, not retriable.

use std::time::Duration;

use embedded_kafka::Settings;
use kafka_protocol::{
    ResponseError,
    messages::{
        CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
        DescribeGroupsRequest, FindCoordinatorRequest, ListGroupsRequest, OffsetCommitRequest,
        OffsetFetchRequest, TopicName,
        create_partitions_request::CreatePartitionsTopic,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch_request::OffsetFetchRequestGroup,
    },
    protocol::StrBytes,
};
use rdkafka::{
    Offset,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, Producer},
};

use crate::{
    broker::{Broker, PATIENCE, Sent, next, stored, text, unique, until},
    wire::Wire,
};

fn name(text: &str) -> StrBytes {
    StrBytes::from(text.to_owned())
}

fn topic(name: &str, partitions: i32, copies: i16) -> CreatableTopic {
    let topic = CreatableTopic::default().with_name(TopicName(StrBytes::from(name.to_owned())));
    topic.with_num_partitions(partitions).with_replication_factor(copies)
}

/// The error for each topic, 0 for none.
fn create(wire: &mut Wire, topics: Vec<CreatableTopic>, only_checked: bool) -> Vec<i16> {
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000);
    let response = wire.call(7, &request.with_validate_only(only_checked));
    response.topics.iter().map(|topic| topic.error_code).collect()
}

pub(crate) fn validate_only_creates_no_topic(broker: Broker) {
    let mut wire = Wire::open(&broker);
    let fresh = unique("checked");
    assert_eq!(create(&mut wire, vec![topic(&fresh, 1, 1)], true), [0]);
    assert_eq!(create(&mut wire, vec![topic(&fresh, -1, -1)], false), [0]);
    let exists = ResponseError::TopicAlreadyExists.code();
    assert_eq!(create(&mut wire, vec![topic(&fresh, 1, 1)], true), [exists]);
    let (copies, none) = (unique("copies"), unique("none"));
    let refused = create(&mut wire, vec![topic(&copies, 1, 3), topic(&none, 1, 0)], false);
    assert_eq!(refused, [ResponseError::InvalidReplicationFactor.code(); 2]);
    let config = CreatableTopicConfig::default().with_name(name("no.such.config"));
    let odd = topic(&unique("odd"), 1, 1).with_configs(vec![config.with_value(Some(name("1")))]);
    assert_eq!(create(&mut wire, vec![odd], false), [ResponseError::InvalidConfig.code()]);
}

pub(crate) fn partitions_are_added_and_a_topic_is_deleted(broker: Broker) {
    let of = broker.topic(1);
    let mut wire = Wire::open(&broker);
    let mut grow = |count| {
        let topic = CreatePartitionsTopic::default().with_name(TopicName(name(&of)));
        let topic = topic.with_count(count).with_assignments(None);
        let request = CreatePartitionsRequest::default().with_timeout_ms(10_000);
        wire.call(1, &request.with_topics(vec![topic])).results[0].error_code
    };
    assert_eq!(grow(3), 0);
    assert_eq!(grow(2), ResponseError::InvalidPartitions.code());
    until("a leader of the new one", || {
        broker.send(&broker.client(), Sent::new(&of, 2, b"x")).is_ok()
    });
    let mut delete = || {
        let request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
        let request = request.with_topic_names(vec![TopicName(name(&of))]);
        wire.call(5, &request).responses[0].error_code
    };
    assert_eq!(delete(), 0);
    until("it to be gone", || delete() == ResponseError::UnknownTopicOrPartition.code());
}

pub(crate) fn deleted_records_are_gone_and_others_remain(broker: Broker) {
    let of = broker.topic(1);
    let records = vec![Sent::new(&of, 0, b"x"); 5];
    broker.send_all(&broker.client(), records).into_iter().for_each(stored);
    broker.send(&broker.client(), Sent::new(&of, 0, b"last")).unwrap();
    let mut wire = Wire::open(&broker);
    let mut delete = |offset| {
        let partition = DeleteRecordsPartition::default().with_offset(offset);
        let topic = DeleteRecordsTopic::default().with_name(TopicName(name(&of)));
        let topics = vec![topic.with_partitions(vec![partition])];
        let request = DeleteRecordsRequest::default().with_topics(topics).with_timeout_ms(10_000);
        let response = wire.call(2, &request);
        let partition = &response.topics[0].partitions[0];
        (partition.error_code, partition.low_watermark)
    };
    assert_eq!(delete(5), (0, 5));
    assert_eq!(delete(7).0, ResponseError::OffsetOutOfRange.code());
    assert_eq!(text(&next(&broker.reader(&of, 0, Offset::Beginning), 1)[0]), "last");
    assert_eq!(delete(-1), (0, 6));
}

pub(crate) fn commit(wire: &mut Wire, of: &str, group: &str, metadata: &str) -> i16 {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(1)
        .with_committed_metadata(Some(name(metadata)));
    let topic = OffsetCommitRequestTopic::default().with_name(TopicName(name(of)));
    let request = OffsetCommitRequest::default()
        .with_group_id(name(group).into())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic.with_partitions(vec![partition])]);
    let mut error = 0;
    // A broker that has just started first has to learn that it coordinates groups.
    until("a coordinator", || {
        error = wire.call(8, &request).topics[0].partitions[0].error_code;
        !ResponseError::try_from_code(error).is_some_and(|error| error.is_retriable())
    });
    error
}

fn lists(wire: &mut Wire, group: &str) -> Option<String> {
    let list = wire.call(4, &ListGroupsRequest::default());
    let found = list.groups.iter().find(|one| **one.group_id == *group);
    found.map(|one| one.group_state.to_string())
}

pub(crate) fn a_group_without_members_is_listed_and_described(broker: Broker) {
    let (of, group) = (broker.topic(1), unique("offsets-only"));
    let mut wire = Wire::open(&broker);
    assert_eq!(commit(&mut wire, &of, &group, "about"), 0);
    assert_eq!(lists(&mut wire, &group).as_deref(), Some("Empty"));
    let request = DescribeGroupsRequest::default().with_groups(vec![name(&group).into()]);
    let described = wire.call(5, &request);
    let state = &*described.groups[0].group_state;
    assert_eq!((described.groups[0].error_code, state), (0, "Empty"));
    let asked = OffsetFetchRequestGroup::default().with_group_id(name(&group).into());
    let asked = asked.with_member_id(None).with_topics(None);
    let fetched = wire.call(8, &OffsetFetchRequest::default().with_groups(vec![asked]));
    let partition = &fetched.groups[0].topics[0].partitions[0];
    assert_eq!((partition.committed_offset, partition.metadata.as_deref()), (1, Some("about")));
    let long = commit(&mut wire, &of, &group, &"x".repeat(5_000));
    assert_eq!(long, ResponseError::OffsetMetadataTooLarge.code());
}

pub(crate) fn a_large_record_is_refused_and_a_large_request_of_small_ones_is_not(broker: Broker) {
    let of = broker.topic(1);
    let mut bold = broker.client();
    bold.set("message.max.bytes", "50000000").set("linger.ms", "200");
    // The client's own time limit, after which it would report a time-out instead.
    bold.set("message.timeout.ms", "60000");
    let refused = broker.send(&bold, Sent::new(&of, 0, &vec![0; 20_000_000]));
    assert_eq!(refused, Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)));
    let payload = vec![1; 40_000];
    let records = vec![Sent::new(&of, 0, &payload); 20];
    broker.send_all(&bold, records).into_iter().for_each(stored);
    assert_eq!(next(&broker.reader(&of, 0, Offset::Beginning), 20).len(), 20);
}

pub(crate) fn a_transaction_is_refused_with_a_fatal_error(broker: &Broker) {
    let mut config = broker.client();
    let producer: BaseProducer = config.set("transactional.id", "any").create().unwrap();
    // An error that the client retries until the time limit ends as a time-out, which is retriable.
    let refused = producer.init_transactions(PATIENCE).unwrap_err();
    let KafkaError::Transaction(refused) = refused else { panic!("{refused}") };
    assert!(refused.is_fatal() || !refused.is_retriable(), "{refused}");
    let mut wire = Wire::open(broker);
    let request = FindCoordinatorRequest::default().with_key_type(1);
    let error = wire.call(3, &request.with_key(name("any"))).error_code;
    assert_eq!(error, ResponseError::TransactionalIdAuthorizationFailed.code());
}

pub(crate) fn a_group_of_the_new_protocol_is_refused_with_a_fatal_error(broker: &Broker) {
    let of = broker.topic(1);
    let mut config = broker.client();
    config.set("group.id", "new").set("group.protocol", "consumer");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[&of]).unwrap();
    until("a fatal error", || {
        drop(consumer.poll(Duration::from_millis(20)));
        consumer.client().fatal_error().is_some()
    });
}

/// Commits the offsets of all records that the member received.
fn commit_all(member: &BaseConsumer) {
    let position = member.position().unwrap();
    member.commit(&position, CommitMode::Sync).unwrap();
}

/// A console consumer reads once and leaves; then the logs fill up, while one of the broker's own groups reads on.
pub(crate) fn a_foreign_group_expires_and_blocks_no_producer() {
    let settings = Settings {
        groups: ["mine".to_owned()].into(),
        group_expiry: Duration::from_secs(3),
        limit: 8 << 20,
        ..Settings::default()
    };
    let broker = Broker::embedded_with(settings);
    let of = broker.topic(1);
    broker.send(&broker.client(), Sent::new(&of, 0, b"x")).unwrap();
    let looked = broker.member("looked", &of, "range");
    next(&looked, 1);
    drop(looked);
    let mine = broker.member("mine", &of, "range");
    next(&mine, 1);
    commit_all(&mine);
    let payload = vec![1; 900_000];
    for _ in 0..30 {
        broker.send(&broker.client(), Sent::new(&of, 0, &payload)).unwrap();
        next(&mine, 1);
        commit_all(&mine);
    }
    assert!(broker.full().is_none());
    let mut wire = Wire::open(&broker);
    until("the group to expire", || lists(&mut wire, "looked").is_none());
    assert_eq!(lists(&mut wire, "mine").as_deref(), Some("Stable"));
}

/// Records that the broker's own groups have yet to read are kept; the broker takes no more, and reports which group it waits
/// for.
pub(crate) fn a_full_broker_names_the_group_it_waits_for() {
    let settings =
        Settings { groups: ["mine".to_owned()].into(), limit: 4 << 20, ..Settings::default() };
    let broker = Broker::embedded_with(settings);
    let of = broker.topic(1);
    let mine = broker.member("mine", &of, "range");
    broker.send(&broker.client(), Sent::new(&of, 0, b"x")).unwrap();
    next(&mine, 1);
    let mut hasty = broker.client();
    hasty.set("message.timeout.ms", "1000");
    let payload = vec![1; 900_000];
    while broker.send(&hasty, Sent::new(&of, 0, &payload)).is_ok() {}
    let full = broker.full().expect("it is full");
    assert_eq!((full.topic, full.group.as_deref()), (of.clone(), Some("mine")));
    next(&mine, 4);
    commit_all(&mine);
    assert!(broker.full().is_none());
    broker.send(&broker.client(), Sent::new(&of, 0, &payload)).unwrap();
}
