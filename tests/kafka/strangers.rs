//! Clients that are newer than the broker, hasty, or do not speak Kafka at all.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Buf;
use kafka_protocol::{
    ResponseError,
    messages::{ApiVersionsRequest, ApiVersionsResponse, FetchRequest, MetadataRequest},
    protocol::{Decodable, Encodable},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{apis, broker::Broker, memory, wire::Wire};

/// The API key of the request for the supported versions.
const VERSIONS: i16 = 18;
const METADATA: i16 = 3;

/// The part of a request's header that all versions share.
fn header(key: i16, version: i16) -> Vec<u8> {
    let client = 0xffff_u16;
    [&key.to_be_bytes()[..], &version.to_be_bytes(), &7_i32.to_be_bytes(), &client.to_be_bytes()]
        .concat()
}

pub(crate) fn an_unknown_api_version_is_answered_with_the_supported_ones(broker: Broker) {
    let mut wire = Wire::open(&broker);
    wire.bytes(&[&header(VERSIONS, 99)[..], &[0]].concat());
    let mut answer = wire.frame().unwrap();
    assert_eq!(answer.get_i32(), 7);
    let answer = ApiVersionsResponse::decode(&mut answer, 0).unwrap();
    assert_eq!(answer.error_code, ResponseError::UnsupportedVersion.code());
    assert!(answer.api_keys.iter().any(|one| one.api_key == VERSIONS && one.max_version >= 3));
    // The client may continue on the same connection.
    let answer = wire.call(0, &ApiVersionsRequest::default());
    assert_eq!(answer.error_code, 0);
}

pub(crate) fn requests_are_answered_in_order(broker: Broker) {
    let mut wire = Wire::open(&broker);
    let fetch = FetchRequest::default().with_max_wait_ms(300).with_min_bytes(1).with_max_bytes(1);
    let waits = wire.send(4, &fetch);
    let metadata = wire.send(9, &MetadataRequest::default());
    wire.answer::<FetchRequest>(waits, 4);
    wire.answer::<MetadataRequest>(metadata, 9);
}

pub(crate) fn random_bytes_close_only_their_own_connection(broker: &Broker) {
    let mut healthy = Wire::open(broker);
    let mut random = StdRng::seed_from_u64(41);
    for round in 0..600 {
        let mut noise = Wire::open(broker);
        let mut frame = vec![0; random.random_range(0..80)];
        random.fill(&mut frame[..]);
        if round % 2 == 0 {
            // Every other frame begins with the header of a known request.
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

/// The number of panics of the broker's threads from now on.
fn count_panics() -> &'static AtomicUsize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name().is_some_and(|name| name.starts_with("tokio-")) {
            PANICS.fetch_add(1, Relaxed);
        }
        before(panic);
    }));
    &PANICS
}

/// A valid request with random damage.
fn damaged(sound: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut frame = sound.to_vec();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(4..frame.len().max(6)).min(frame.len());
        match random.random_range(0..6) {
            0 => frame.truncate(at),
            1 => frame.extend_from_within(at..),
            2 => drop(frame.splice(at..at, [0xff; 5])),
            // Lengths and numbers at the ends of their range.
            3 => {
                let extreme = [i32::MAX, i32::MIN, -1, 0, 1 << 20, 0x7f7f_7f7f];
                let extreme = extreme[random.random_range(0..extreme.len())].to_be_bytes();
                let end = (at + 4).min(frame.len());
                frame.splice(at..end, extreme);
            }
            4 => frame[2..4].copy_from_slice(&random.random_range(-1..20_i16).to_be_bytes()),
            _ => {
                let at = at.min(frame.len() - 1);
                frame[at] ^= 1 << random.random_range(0..8);
            }
        }
        if frame.len() < 6 {
            break;
        }
    }
    frame
}

pub(crate) fn damaged_requests_close_only_their_own_connections(broker: Broker) {
    let panics = count_panics();
    let (frames, broker) = apis::frames(broker);
    let mut healthy = Wire::open(&broker);
    let mut random = StdRng::seed_from_u64(42);
    let before = memory::resident();
    for round in 0..6_000 {
        let sound = &frames[random.random_range(0..frames.len())];
        let frame = damaged(sound, &mut random);
        let mut wire = Wire::open(&broker);
        if random.random_range(0..10) == 0 {
            // A length that does not match the frame.
            let length = random.random_range(0_u32..1 << 24).to_be_bytes();
            wire.raw(&[&length, &frame[..]].concat());
        } else {
            wire.bytes(&frame);
        }
        if round % 200 == 0 {
            assert_eq!(healthy.call(0, &ApiVersionsRequest::default()).error_code, 0);
        }
    }
    assert_eq!(healthy.call(0, &ApiVersionsRequest::default()).error_code, 0);
    assert_eq!(Wire::open(&broker).call(0, &ApiVersionsRequest::default()).error_code, 0);
    assert_eq!(panics.load(Relaxed), 0);
    let grown = memory::resident().saturating_sub(before);
    assert!(grown < 160 << 20, "{} MiB", grown >> 20);
}

pub(crate) fn an_oversized_request_closes_the_connection(broker: &Broker) {
    let mut truncated = Vec::new();
    MetadataRequest::default().encode(&mut truncated, 4).unwrap();
    truncated.truncate(2);
    let wishes = [
        // Two thousand million topics: as a plain integer, and as a varint after the header's own tagged fields.
        [header(METADATA, 4), i32::MAX.to_be_bytes().to_vec()].concat(),
        [header(METADATA, 9), vec![0, 0xff, 0xff, 0xff, 0xff, 0x07]].concat(),
        [header(METADATA, 4), truncated].concat(),
        // An unknown version, and an unknown request.
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
