//! Guarantees that producers rely on.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{
        InitProducerIdRequest, ProduceRequest, TopicName,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::StrBytes,
    records::{
        Compression, NO_PARTITION_LEADER_EPOCH, Record, RecordBatchEncoder, RecordEncodeOptions,
        TimestampType,
    },
};
use rdkafka::Offset;

use crate::{
    broker::{Broker, Sent, next, text, until},
    wire::Wire,
};

/// The version of the produce requests: it has flexible headers.
const VERSION: i16 = 9;

pub(crate) fn an_idempotent_producer_sends_everything_once(broker: Broker) {
    let topic = broker.topic(1);
    let mut config = broker.client();
    config.set("enable.idempotence", "true").set("batch.num.messages", "10");
    let payloads: Vec<_> = (0..1_000).map(|number| number.to_string()).collect();
    let records = payloads.iter().map(|payload| Sent::new(&topic, 0, payload.as_bytes())).collect();
    let places = broker.send_all(&config, records);
    assert_eq!(places.into_iter().map(Result::unwrap).max(), Some(999));
    let messages = next(&broker.reader(&topic, 0, Offset::Beginning), 1_000);
    assert_eq!(messages.iter().map(text).collect::<Vec<_>>(), payloads);
}

/// A batch of records of a producer, with these sequence numbers.
pub(crate) fn batch(producer: i64, epoch: i16, sequences: std::ops::Range<i32>) -> Bytes {
    let first = sequences.start;
    let records: Vec<_> = sequences
        .map(|sequence| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            producer_id: producer,
            producer_epoch: epoch,
            timestamp_type: TimestampType::Creation,
            offset: i64::from(sequence - first),
            sequence,
            timestamp: 1_000,
            key: None,
            value: Some(Bytes::from_static(b"value")),
            headers: Default::default(),
        })
        .collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
    bytes.freeze()
}

fn request(topic: &str, acks: i16, records: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from(topic.to_owned())))
        .with_partition_data(vec![partition]);
    ProduceRequest::default()
        .with_transactional_id(None)
        .with_acks(acks)
        .with_timeout_ms(5_000)
        .with_topic_data(vec![topic])
}

/// The offset that the batch got, or the error of its partition.
fn produce(wire: &mut Wire, topic: &str, records: Bytes) -> Result<i64, Option<ResponseError>> {
    let response = wire.call(VERSION, &request(topic, -1, records));
    let partition = &response.responses[0].partition_responses[0];
    match ResponseError::try_from_code(partition.error_code) {
        None => Ok(partition.base_offset),
        error => Err(error),
    }
}

/// Retried, because a broker that has just started has no producer ids yet.
fn producer_id(wire: &mut Wire) -> i64 {
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let mut id = -1;
    until("the id of a producer", || {
        id = *wire.call(4, &request).producer_id;
        id >= 0
    });
    id
}

pub(crate) fn a_repeated_batch_of_an_idempotent_producer_is_stored_once(broker: Broker) {
    let topic = broker.topic(1);
    let mut wire = Wire::open(&broker);
    let id = producer_id(&mut wire);
    assert_ne!(producer_id(&mut wire), id);
    for (sequences, place) in [(0..3, 0), (3..4, 3), (0..3, 0), (3..4, 3), (4..9, 4)] {
        assert_eq!(produce(&mut wire, &topic, batch(id, 0, sequences)), Ok(place));
    }
    assert_eq!(next(&broker.reader(&topic, 0, Offset::Beginning), 9).len(), 9);
}

pub(crate) fn a_sequence_gap_and_a_stale_epoch_are_refused(broker: Broker) {
    let topic = broker.topic(1);
    let mut wire = Wire::open(&broker);
    let id = producer_id(&mut wire);
    let mut send = |epoch, sequences| produce(&mut wire, &topic, batch(id, epoch, sequences));
    assert_eq!(send(0, 0..1), Ok(0));
    assert_eq!(send(0, 2..3), Err(Some(ResponseError::OutOfOrderSequenceNumber)));
    assert_eq!(send(0, 1..2), Ok(1));
    assert_eq!(send(1, 5..6), Err(Some(ResponseError::OutOfOrderSequenceNumber)));
    assert_eq!(send(1, 0..1), Ok(2));
    assert_eq!(send(0, 2..3), Err(Some(ResponseError::InvalidProducerEpoch)));
}

pub(crate) fn a_batch_with_a_wrong_checksum_is_refused(broker: Broker) {
    let topic = broker.topic(1);
    let mut wire = Wire::open(&broker);
    let sound = batch(-1, -1, -1..0);
    let mut flipped = BytesMut::from(&*sound);
    *flipped.last_mut().unwrap() ^= 1;
    let refused = Err(Some(ResponseError::CorruptMessage));
    assert_eq!(produce(&mut wire, &topic, flipped.freeze()), refused);
    assert_eq!(produce(&mut wire, &topic, sound), Ok(0));
    let nowhere = produce(&mut wire, "nowhere-at-all", batch(-1, -1, -1..0));
    assert_eq!(nowhere, Err(Some(ResponseError::UnknownTopicOrPartition)));
}

pub(crate) fn a_producer_with_acks_0_gets_no_response(broker: Broker) {
    let topic = broker.topic(1);
    let mut wire = Wire::open(&broker);
    wire.send(VERSION, &request(&topic, 0, batch(-1, -1, -1..0)));
    // The next response belongs to the next request.
    assert_eq!(produce(&mut wire, &topic, batch(-1, -1, -1..0)), Ok(1));
}
