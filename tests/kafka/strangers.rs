//! Clients that are newer, hasty, or no clients of Kafka at all.

use bytes::Buf;
use kafka_protocol::{
    ResponseError,
    messages::{ApiVersionsRequest, ApiVersionsResponse, FetchRequest, MetadataRequest},
    protocol::{Decodable, Encodable},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{broker::Broker, wire::Wire};

/// Of the request for the versions.
const VERSIONS: i16 = 18;
const METADATA: i16 = 3;

/// A request's header, as far as it is the same in all versions.
fn header(key: i16, version: i16) -> Vec<u8> {
    let client = 0xffff_u16;
    [&key.to_be_bytes()[..], &version.to_be_bytes(), &7_i32.to_be_bytes(), &client.to_be_bytes()]
        .concat()
}

pub(crate) fn a_version_of_the_future_is_told_what_is_known(broker: Broker) {
    let mut wire = Wire::open(&broker);
    wire.bytes(&[&header(VERSIONS, 99)[..], &[0]].concat());
    let mut answer = wire.frame().unwrap();
    assert_eq!(answer.get_i32(), 7);
    let told = ApiVersionsResponse::decode(&mut answer, 0).unwrap();
    assert_eq!(told.error_code, ResponseError::UnsupportedVersion.code());
    assert!(told.api_keys.iter().any(|one| one.api_key == VERSIONS && one.max_version >= 3));
    // And may go on.
    let told = wire.call(0, &ApiVersionsRequest::default());
    assert_eq!(told.error_code, 0);
}

pub(crate) fn requests_are_answered_in_order(broker: Broker) {
    let mut wire = Wire::open(&broker);
    let fetch = FetchRequest::default().with_max_wait_ms(300).with_min_bytes(1).with_max_bytes(1);
    let waits = wire.send(4, &fetch);
    let metadata = wire.send(9, &MetadataRequest::default());
    wire.answer::<FetchRequest>(waits, 4);
    wire.answer::<MetadataRequest>(metadata, 9);
}

pub(crate) fn noise_ends_its_own_connection_and_no_other(broker: &Broker) {
    let mut healthy = Wire::open(broker);
    let mut random = StdRng::seed_from_u64(41);
    for round in 0..600 {
        let mut noise = Wire::open(broker);
        let mut frame = vec![0; random.random_range(0..80)];
        random.fill(&mut frame[..]);
        if round % 2 == 0 {
            // As if it were a request that is understood.
            let key = [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 22, 23];
            let start = header(key[round % key.len()], random.random_range(0..13));
            frame.splice(0..0, start);
        }
        noise.bytes(&frame);
        if round % 100 == 0 {
            assert_eq!(healthy.call(0, &ApiVersionsRequest::default()).error_code, 0);
        }
    }
    assert_eq!(healthy.call(0, &ApiVersionsRequest::default()).error_code, 0);
    assert_eq!(Wire::open(broker).call(0, &ApiVersionsRequest::default()).error_code, 0);
}

pub(crate) fn a_wish_for_more_than_there_is_ends_the_connection(broker: &Broker) {
    let mut truncated = Vec::new();
    MetadataRequest::default().encode(&mut truncated, 4).unwrap();
    truncated.truncate(2);
    let wishes = [
        // Two thousand million topics: as a plain integer, and as a varint after the header's own tagged fields.
        [header(METADATA, 4), i32::MAX.to_be_bytes().to_vec()].concat(),
        [header(METADATA, 9), vec![0, 0xff, 0xff, 0xff, 0xff, 0x07]].concat(),
        [header(METADATA, 4), truncated].concat(),
        // A version and a request that nobody knows.
        header(METADATA, 99),
        header(999, 0),
        Vec::new(),
    ];
    for wish in wishes {
        let mut wire = Wire::open(broker);
        wire.bytes(&wish);
        assert_eq!(wire.frame(), None, "{wish:?}");
    }
    assert_eq!(Wire::open(broker).call(0, &ApiVersionsRequest::default()).error_code, 0);
}
