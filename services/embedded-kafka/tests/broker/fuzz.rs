//! Arbitrary bytes, and requests of every kind with arbitrary damage, against a running broker.

use std::{
    cell::RefCell,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use embedded_kafka::{Broker, Retention, Settings, Topic};
use kafka_protocol::{
    messages::{
        AddOffsetsToTxnRequest, ApiVersionsRequest, ConsumerGroupHeartbeatRequest,
        CreatePartitionsRequest, CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest,
        DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest,
        FetchRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest, InitProducerIdRequest,
        JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest,
        MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
        OffsetForLeaderEpochRequest, ProduceRequest, SyncGroupRequest, TopicName,
        create_topics_request::CreatableTopic,
        fetch_request::{FetchPartition, FetchTopic},
        join_group_request::JoinGroupRequestProtocol,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::{Request, StrBytes},
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, TestRunner},
};
use tokio::runtime::{Builder, Runtime};

use crate::wire::{Wire, frame};

/// The connections of one run: a second or two.
const CONNECTIONS: u32 = 1_500;
/// The name of the broker's threads.
const THREAD: &str = "fuzzed-broker";
/// The logs' own limit is 8 MiB; the rest is for topics and groups that damaged requests create, and for the allocator.
const MEMORY: usize = 96 << 20;

/// One change of a frame.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Overwrite(Index, i32),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
    Cut(Index),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let extreme = prop_oneof![
            select(vec![i32::MAX, i32::MIN, -1, 0, 1 << 20, 0x7f7f_7f7f]),
            any::<i32>()
        ];
        prop_oneof![
            any::<(Index, u8)>().prop_map(|(at, bit)| Self::Flip(at, bit % 8)),
            (any::<Index>(), extreme).prop_map(|(at, value)| Self::Overwrite(at, value)),
            (any::<Index>(), vec(any::<u8>(), 1..64)).prop_map(|(at, more)| Self::Insert(at, more)),
            any::<(Index, Index)>().prop_map(|(from, to)| Self::Repeat(from, to)),
            any::<Index>().prop_map(Self::Cut),
        ]
    }

    fn apply(&self, frame: &mut Vec<u8>) {
        let length = frame.len() + 1;
        match self {
            Self::Flip(at, bit) => {
                if let Some(byte) = frame.get_mut(at.index(length)) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Overwrite(at, value) => {
                let at = at.index(length);
                let end = (at + 4).min(frame.len());
                frame.splice(at..end, value.to_be_bytes());
            }
            Self::Insert(at, more) => {
                let at = at.index(length);
                frame.splice(at..at, more.iter().copied());
            }
            Self::Repeat(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                frame.extend_from_within(from.min(to)..from.max(to));
            }
            Self::Cut(at) => frame.truncate(at.index(length)),
        }
    }
}

/// What a client sends: noise, or a request with some damage and with a length that matches it, or not.
fn bytes(requests: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damaged = (select(requests), vec(Damage::any(), 0..4), any::<bool>());
    let damaged = damaged.prop_map(|(mut frame, damages, fits)| {
        damages.iter().for_each(|damage| damage.apply(&mut frame));
        if fits && frame.len() >= 4 {
            let length = u32::try_from(frame.len() - 4).unwrap().to_be_bytes();
            frame[..4].copy_from_slice(&length);
        }
        frame
    });
    // Long enough to be read batch by batch, if it begins like a request to produce.
    let long = (vec(any::<u8>(), 12), any::<u8>(), 0..200_000_usize).prop_map(
        |(start, filler, length)| {
            let prefix = u32::try_from(start.len() + length + 2).unwrap().to_be_bytes();
            [&prefix[..], &[0, 0], &start, &vec![filler; length]].concat()
        },
    );
    let one = prop_oneof![
        1 => vec(any::<u8>(), 0..200),
        1 => long,
        8 => damaged,
    ];
    vec(one, 1..6).prop_map(|frames| frames.concat())
}

/// A request of every supported kind, and some that fill the broker, in all versions that the codec knows.
fn requests() -> Vec<Vec<u8>> {
    let topic = || TopicName(StrBytes::from_static_str("teapots"));
    let group = || GroupId(StrBytes::from_static_str("group"));
    let partition = PartitionProduceData::default().with_records(Some(vec![0; 100].into()));
    let produce =
        TopicProduceData::default().with_name(topic()).with_partition_data(vec![partition]);
    let fetch = FetchTopic::default()
        .with_topic(topic())
        .with_partitions(vec![FetchPartition::default().with_partition_max_bytes(1 << 20)]);
    let create = CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_static_str("new")))
        .with_num_partitions(2)
        .with_replication_factor(1);
    let protocol =
        JoinGroupRequestProtocol::default().with_name(StrBytes::from_static_str("range"));
    let commit = OffsetCommitRequestTopic::default()
        .with_name(topic())
        .with_partitions(vec![OffsetCommitRequestPartition::default()]);
    let mut all = Vec::new();
    every_version(&mut all, ProduceRequest::default().with_acks(1).with_topic_data(vec![produce]));
    every_version(&mut all, FetchRequest::default().with_topics(vec![fetch]));
    every_version(&mut all, CreateTopicsRequest::default().with_topics(vec![create]));
    every_version(&mut all, MetadataRequest::default());
    let join = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(100)
        .with_protocols(vec![protocol]);
    every_version(&mut all, join);
    let commit = OffsetCommitRequest::default().with_group_id(group()).with_topics(vec![commit]);
    every_version(&mut all, commit);
    every_version(&mut all, SyncGroupRequest::default().with_group_id(group()));
    every_version(&mut all, HeartbeatRequest::default().with_group_id(group()));
    every_version(&mut all, LeaveGroupRequest::default().with_group_id(group()));
    every_version(&mut all, ListOffsetsRequest::default());
    every_version(&mut all, OffsetFetchRequest::default());
    every_version(&mut all, FindCoordinatorRequest::default());
    every_version(&mut all, DescribeGroupsRequest::default());
    every_version(&mut all, ListGroupsRequest::default());
    every_version(&mut all, ApiVersionsRequest::default());
    every_version(&mut all, DeleteTopicsRequest::default());
    every_version(&mut all, DeleteRecordsRequest::default());
    every_version(&mut all, InitProducerIdRequest::default());
    every_version(&mut all, OffsetForLeaderEpochRequest::default());
    every_version(&mut all, DescribeConfigsRequest::default());
    every_version(&mut all, CreatePartitionsRequest::default());
    every_version(&mut all, DeleteGroupsRequest::default());
    every_version(&mut all, OffsetDeleteRequest::default());
    every_version(&mut all, DescribeClusterRequest::default());
    every_version(&mut all, ConsumerGroupHeartbeatRequest::default());
    // A request that the broker does not support.
    every_version(&mut all, AddOffsetsToTxnRequest::default());
    all
}

fn every_version<R: Request>(all: &mut Vec<Vec<u8>>, request: R) {
    all.extend((0..20).filter_map(|version| frame(version, &request)));
}

/// Counts the panics of the broker's threads from now on.
fn count_panics() -> &'static AtomicUsize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some(THREAD) {
            PANICS.fetch_add(1, Relaxed);
        }
        before(panic);
    }));
    &PANICS
}

/// The resident memory of the process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

fn start() -> (Runtime, Broker, SocketAddr) {
    let runtime =
        Builder::new_multi_thread().worker_threads(1).thread_name(THREAD).enable_all().build();
    let runtime = runtime.unwrap();
    let topic = Topic { name: "teapots".into(), partitions: 3, retention: Retention::Consumed };
    let settings = Settings { topics: vec![topic], limit: 8 << 20, ..Settings::default() };
    let broker = runtime.block_on(Broker::start(([127, 0, 0, 1], 0).into(), settings)).unwrap();
    let address = broker.address();
    (runtime, broker, address)
}

#[test]
fn damaged_requests_end_only_their_own_connection_and_cost_bounded_memory() {
    let panics = count_panics();
    let (_runtime, _broker, address) = start();
    let other = RefCell::new(Wire::connect(address).unwrap());
    let before = resident();
    let config = Config { cases: CONNECTIONS, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&bytes(requests()), |bytes| {
        Wire::connect(address).unwrap().send_last(&bytes);
        prop_assert!(other.borrow_mut().is_served());
        prop_assert_eq!(panics.load(Relaxed), 0);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(Wire::connect(address).unwrap().is_served());
    let grown = resident().saturating_sub(before);
    assert!(grown < MEMORY, "{} MiB", grown >> 20);
}
