//! Committed offsets of consumer groups.

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::Message,
};

use crate::broker::{A_MOMENT, Broker, PATIENCE, Sent, next, stored, text, unique, until};

fn at(topic: &str, partition: i32, offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, offset).unwrap();
    list
}

fn outsider(broker: &Broker, group: &str) -> BaseConsumer {
    broker.client().set("group.id", group).set("enable.auto.commit", "false").create().unwrap()
}

fn fill(broker: &Broker, topic: &str, count: i64) {
    let payloads: Vec<_> = (0..count).map(|number| number.to_string()).collect();
    let records = payloads.iter().map(|payload| Sent::new(topic, 0, payload.as_bytes())).collect();
    broker.send_all(&broker.client(), records).into_iter().for_each(stored);
}

fn committed(consumer: &BaseConsumer, topic: &str, partition: i32) -> Offset {
    let list = at(topic, partition, Offset::Invalid);
    let committed = consumer.committed_offsets(list, PATIENCE).unwrap();
    committed.elements()[0].offset()
}

pub(crate) fn the_next_member_reads_the_committed_offset(broker: Broker) {
    let (topic, group) = (broker.topic(2), unique("group"));
    let first = outsider(&broker, &group);
    assert_eq!(committed(&first, &topic, 1), Offset::Invalid);
    first.commit(&at(&topic, 1, Offset::Offset(42)), CommitMode::Sync).unwrap();
    drop(first);
    let second = outsider(&broker, &group);
    assert_eq!(committed(&second, &topic, 1), Offset::Offset(42));
    assert_eq!(committed(&second, &topic, 0), Offset::Invalid);
    assert_eq!(committed(&outsider(&broker, &unique("group")), &topic, 1), Offset::Invalid);
}

pub(crate) fn a_group_resumes_at_its_committed_offset(broker: Broker) {
    let (topic, group) = (broker.topic(1), unique("group"));
    fill(&broker, &topic, 20);
    let first = broker.member(&group, &topic, "range");
    let messages = next(&first, 8);
    assert_eq!(messages.iter().map(text).collect::<Vec<_>>()[..2], ["0", "1"]);
    first.commit(&at(&topic, 0, Offset::Offset(8)), CommitMode::Sync).unwrap();
    drop(first);
    let second = broker.member(&group, &topic, "range");
    assert_eq!(next(&second, 12).iter().map(text).collect::<Vec<_>>()[..2], ["8", "9"]);
}

pub(crate) fn an_offset_out_of_range_is_reset(broker: Broker) {
    let topic = broker.topic(1);
    fill(&broker, &topic, 3);
    let beyond = Offset::Offset(1_000);
    let mut config = broker.client();
    let first = broker.reader_with(config.set("auto.offset.reset", "earliest"), &topic, 0, beyond);
    assert_eq!(text(&next(&first, 3)[0]), "0");
    let strict = broker.reader_with(config.set("auto.offset.reset", "error"), &topic, 0, beyond);
    let mut polled = None;
    until("an error", || {
        polled = strict.poll(A_MOMENT).map(|message| message.map(|message| message.offset()));
        polled.is_some()
    });
    let error = KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset);
    assert_eq!(polled, Some(Err(error)));
}

pub(crate) fn a_non_member_cannot_commit_for_an_active_group(broker: Broker) {
    let (topic, group) = (broker.topic(1), unique("group"));
    let member = broker.member(&group, &topic, "range");
    until("a member", || {
        drop(member.poll(A_MOMENT));
        member.assignment().unwrap().count() == 1
    });
    let refused = outsider(&broker, &group)
        .commit(&at(&topic, 0, Offset::Offset(5)), CommitMode::Sync)
        .unwrap_err();
    assert_eq!(refused.rdkafka_error_code(), Some(RDKafkaErrorCode::UnknownMemberId));
    assert_eq!(committed(&member, &topic, 0), Offset::Invalid);
}

pub(crate) fn a_group_without_members_can_be_deleted(broker: Broker) {
    let (topic, group) = (broker.topic(1), unique("group"));
    let member = broker.member(&group, &topic, "range");
    until("a member", || {
        drop(member.poll(A_MOMENT));
        member.assignment().unwrap().count() == 1
    });
    assert_eq!(broker.forget(&group), Err(RDKafkaErrorCode::NonEmptyGroup));
    drop(member);
    let reader = outsider(&broker, &group);
    reader.commit(&at(&topic, 0, Offset::Offset(7)), CommitMode::Sync).unwrap();
    assert_eq!(committed(&reader, &topic, 0), Offset::Offset(7));
    assert_eq!(broker.forget(&group), Ok(()));
    assert_eq!(broker.forget(&group), Err(RDKafkaErrorCode::GroupIdNotFound));
    assert_eq!(committed(&reader, &topic, 0), Offset::Invalid);
}
