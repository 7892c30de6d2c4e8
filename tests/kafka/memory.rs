//! Memory that clients cost when they send incomplete frames or stop reading: bounded, and only their own connections suffer.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiVersionsRequest, FetchRequest, RequestHeader, TopicName,
        fetch_request::{FetchPartition, FetchTopic},
    },
    protocol::{Encodable, StrBytes},
};

use crate::{
    broker::{Broker, PATIENCE, Sent, stored, until},
    wire::Wire,
};

/// The resident memory of the process, in bytes.
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

/// A connection on which part of a frame of this length has been sent.
fn half_frame(broker: &Broker, key: i16, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(&broker.address).unwrap();
    stream.write_all(&u32::try_from(length).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&key.to_be_bytes()).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    // As much as fits into the buffers: the broker need not read it.
    stream.write_all(&vec![0; length - 100]).ok();
    stream
}

fn is_gone(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut rest = [0; 1 << 14];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                let waits = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
                return !waits.contains(&error.kind());
            }
        }
    }
}

/// A fetch request for all records of a topic, encoded as a frame.
fn fetch(topic: &str) -> Bytes {
    let partition = FetchPartition::default().with_partition_max_bytes(i32::MAX);
    let topic = FetchTopic::default()
        .with_topic(TopicName(StrBytes::from(topic.to_owned())))
        .with_partitions(vec![partition]);
    let request =
        FetchRequest::default().with_max_bytes(i32::MAX).with_min_bytes(1).with_topics(vec![topic]);
    let mut frame = BytesMut::new();
    let header = RequestHeader::default().with_request_api_key(1).with_request_api_version(4);
    header.encode(&mut frame, 1).unwrap();
    request.encode(&mut frame, 4).unwrap();
    let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
    [&length[..], &frame].concat().into()
}

/// Meanwhile the broker serves other clients without delay.
fn others_are_served(broker: &Broker, topic: &str) {
    let mut wire = Wire::open(broker);
    assert_eq!(wire.call(0, &ApiVersionsRequest::default()).error_code, 0);
    let large = vec![7; 200_000];
    broker.send(&broker.client(), Sent::new(topic, 0, &large)).unwrap();
}

pub(crate) fn half_frames_and_slow_readers_use_bounded_memory(broker: &Broker) {
    let topic = broker.topic(1);
    let before = resident();
    let mut halves: Vec<_> = (0..100).map(|_| half_frame(broker, 3, 500_000)).collect();
    halves.extend((0..100).map(|_| half_frame(broker, 0, 2_000_000)));
    others_are_served(broker, &topic);
    let payload = vec![1; 900_000];
    let records = vec![Sent::new(&topic, 0, &payload); 20];
    broker.send_all(&broker.client(), records).into_iter().for_each(stored);
    let mut readers = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(&broker.address).unwrap();
        // More responses than the system's buffers hold.
        for _ in 0..20 {
            stream.write_all(&fetch(&topic)).unwrap();
        }
        readers.push(stream);
    }
    others_are_served(broker, &topic);
    let grown = resident().saturating_sub(before);
    assert!(grown < 160 << 20, "{} MiB", grown >> 20);
    until("half frames to be given up", || halves.iter_mut().all(is_gone));
    drop(readers);
    others_are_served(broker, &topic);
}

pub(crate) fn one_connection_too_many_replaces_the_most_idle(broker: &Broker) {
    let mut busy = Wire::open(broker);
    let mut first = TcpStream::connect(&broker.address).unwrap();
    let mut silent = Vec::new();
    for number in 0..600 {
        silent.push(TcpStream::connect(&broker.address).unwrap());
        if number % 50 == 0 {
            assert_eq!(busy.call(0, &ApiVersionsRequest::default()).error_code, 0);
        }
    }
    first.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(first.read(&mut [0]), Ok(0) | Err(_)), "it was there first");
    assert_eq!(busy.call(0, &ApiVersionsRequest::default()).error_code, 0);
    assert_eq!(Wire::open(broker).call(0, &ApiVersionsRequest::default()).error_code, 0);
}
