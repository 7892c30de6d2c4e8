//! Records are read as they were written.

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, Headers, OwnedHeaders},
};

use crate::broker::{Broker, PATIENCE, Sent, next, stored, text, unique};

pub(crate) fn records_are_consumed_in_order_with_key_headers_and_time(broker: Broker) {
    let topic = broker.topic(3);
    let payloads: Vec<_> = (0..500).map(|number| format!("number {number}")).collect();
    let record = |payload| Sent {
        key: "o-1",
        timestamp: Some(1_700_000_000_123),
        headers: Some(OwnedHeaders::new().insert(Header { key: "ce_id", value: Some("e-1") })),
        ..Sent::new(&topic, 1, payload)
    };
    let records = payloads.iter().map(|payload| record(payload.as_bytes())).collect();
    let places = broker.send_all(&broker.client(), records);
    let places: Vec<_> = places.into_iter().map(Result::unwrap).collect();
    assert_eq!(places, (0..500).collect::<Vec<_>>());

    let messages = next(&broker.reader(&topic, 1, Offset::Beginning), payloads.len());
    assert_eq!(messages.iter().map(text).collect::<Vec<_>>(), payloads);
    for (message, place) in messages.iter().zip(0..) {
        assert_eq!((message.offset(), message.key()), (place, Some(b"o-1".as_slice())));
        assert_eq!(message.timestamp().to_millis(), Some(1_700_000_000_123));
        let header = message.headers().unwrap().get_as::<str>(0).unwrap();
        assert_eq!((header.key, header.value), ("ce_id", Some("e-1")));
    }
    let from_the_middle = next(&broker.reader(&topic, 1, Offset::Offset(250)), 1);
    assert_eq!(text(&from_the_middle[0]), "number 250");
}

pub(crate) fn a_waiting_consumer_is_woken_by_the_record(broker: Broker) {
    let topic = broker.topic(1);
    let mut patient = broker.client();
    // Longer than the story waits for a record.
    patient.set("fetch.wait.max.ms", "120000").set("socket.timeout.ms", "180000");
    let reader = broker.reader_with(&patient, &topic, 0, Offset::Offset(0));
    // The fetch already waits at the broker when a record arrives, except perhaps for the first one.
    for number in 0..10 {
        let payload = number.to_string();
        broker.send(&broker.client(), Sent::new(&topic, 0, payload.as_bytes())).unwrap();
        assert_eq!(text(&next(&reader, 1)[0]), payload);
    }
}

pub(crate) fn compressed_records_are_delivered(broker: Broker) {
    let topic = broker.topic(1);
    let mut config = broker.client();
    config.set("compression.type", "gzip").set("linger.ms", "50");
    let payload = "very much the same ".repeat(500);
    let records = vec![Sent::new(&topic, 0, payload.as_bytes()); 20];
    broker.send_all(&config, records).into_iter().for_each(stored);
    let messages = next(&broker.reader(&topic, 0, Offset::Beginning), 20);
    assert!(messages.iter().all(|message| text(message) == payload));
}

pub(crate) fn a_batch_over_the_fetch_limit_is_delivered(broker: Broker) {
    let topic = broker.topic(1);
    for letter in [b'a', b'b', b'c'] {
        broker.send(&broker.client(), Sent::new(&topic, 0, &vec![letter; 300_000])).unwrap();
    }
    let mut modest = broker.client();
    modest.set("message.max.bytes", "1000").set("fetch.max.bytes", "1000");
    modest.set("max.partition.fetch.bytes", "1000").set("receive.message.max.bytes", "1000000");
    let messages = next(&broker.reader_with(&modest, &topic, 0, Offset::Beginning), 3);
    let first = |message: &rdkafka::message::OwnedMessage| message.payload().unwrap()[0];
    assert_eq!(messages.iter().map(first).collect::<Vec<_>>(), b"abc");
    assert!(messages.iter().all(|message| message.payload().unwrap().len() == 300_000));
}

pub(crate) fn a_record_that_is_too_large_is_refused(broker: Broker) {
    let topic = broker.topic(1);
    let mut bold = broker.client();
    bold.set("message.max.bytes", "5000000");
    let refused = broker.send(&bold, Sent::new(&topic, 0, &vec![0; 1_500_000]));
    assert_eq!(refused, Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)));
    assert_eq!(broker.send(&bold, Sent::new(&topic, 0, b"small")), Ok(0));
}

pub(crate) fn an_unknown_topic_is_refused(broker: Broker) {
    let consumer: BaseConsumer = broker.client().create().unwrap();
    let name = unique("nowhere");
    // A request for metadata does not create the topic.
    for _ in 0..2 {
        let metadata = consumer.fetch_metadata(Some(&name), PATIENCE).unwrap();
        let error = metadata.topics()[0].error().map(RDKafkaErrorCode::from);
        assert_eq!(error, Some(RDKafkaErrorCode::UnknownTopicOrPartition));
    }
}

pub(crate) fn creating_an_existing_topic_is_refused(broker: Broker) {
    let topic = broker.topic(2);
    assert_eq!(broker.make(&topic, 2), Err(RDKafkaErrorCode::TopicAlreadyExists));
    assert_eq!(broker.make("no such/name", 1), Err(RDKafkaErrorCode::InvalidTopic));
    assert_eq!(broker.make(&unique("none"), 0), Err(RDKafkaErrorCode::InvalidPartitions));
}

pub(crate) fn brokers_topics_and_watermarks_are_described(broker: Broker) {
    let topic = broker.topic(2);
    let records = vec![Sent::new(&topic, 1, b"x"); 7];
    broker.send_all(&broker.client(), records).into_iter().for_each(stored);
    let consumer: BaseConsumer = broker.client().create().unwrap();
    let marks = |partition| consumer.fetch_watermarks(&topic, partition, PATIENCE);
    assert_eq!((marks(0), marks(1)), (Ok((0, 0)), Ok((0, 7))));
    let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
    assert_eq!(metadata.brokers().len(), 1);
    for name in proto::topics::ALL {
        let found = metadata.topics().iter().find(|topic| topic.name() == name).unwrap();
        assert_eq!(found.partitions().len(), proto::topics::PARTITIONS as usize, "{name}");
    }
    let cluster = consumer.client().fetch_cluster_id(PATIENCE).unwrap();
    assert!(!cluster.is_empty());
}

pub(crate) fn an_offset_is_found_by_timestamp(broker: Broker) {
    let topic = broker.topic(1);
    for time in [1_000, 2_000, 3_000] {
        let record = Sent { timestamp: Some(time), ..Sent::new(&topic, 0, b"x") };
        broker.send(&broker.client(), record).unwrap();
    }
    let consumer: BaseConsumer = broker.client().create().unwrap();
    let since = |time| {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&topic, 0, Offset::Offset(time)).unwrap();
        consumer.offsets_for_times(list, PATIENCE).unwrap().elements()[0].offset()
    };
    assert_eq!(since(1), Offset::Offset(0));
    assert_eq!(since(2_000), Offset::Offset(1));
    assert_eq!(since(2_001), Offset::Offset(2));
    assert_eq!(since(3_001), Offset::End);
}
