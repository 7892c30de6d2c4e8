//! Fetch. Answers contain the log's own batches, not copies of them.

use std::{sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, ResponseHeader, TopicName, fetch_request::FetchPartition,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{
    limits::{MAX_FETCH, MAX_FETCH_WAIT},
    log::Log,
    rope::{Builder, Rope},
    store::Store,
};
use embedded_limits::{Lease, MemoryBudget, UNLEASED};

/// The versions that added a field: <https://kafka.apache.org/protocol#The_Messages_Fetch>
mod since {
    pub(super) const LOG_START: i16 = 5;
    pub(super) const SESSIONS: i16 = 7;
    pub(super) const PREFERRED_REPLICA: i16 = 11;
    pub(super) const FLEXIBLE: i16 = 12;
}

/// The context of a request.
pub(super) struct Asked<'a> {
    pub(super) correlation: i32,
    pub(super) version: i16,
    pub(super) memory: &'a Arc<MemoryBudget>,
    /// Notified when there are more records.
    pub(super) waiting: &'a Arc<Notify>,
}

/// The result for one partition.
struct Partition {
    index: i32,
    error: i16,
    high_watermark: i64,
    start: i64,
    records: Vec<Bytes>,
}

struct Found {
    topics: Vec<(TopicName, Vec<Partition>)>,
    size: usize,
    failed: bool,
}

/// Answers as soon as there are as many bytes as the client wants, or when its wait time ends. The lease covers the answer until
/// it is sent.
pub(super) async fn fetch(
    store: &Store,
    request: &FetchRequest,
    asked: Asked<'_>,
) -> anyhow::Result<(Rope, Option<Lease>)> {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + wait.min(MAX_FETCH_WAIT);
    let wanted = usize::try_from(request.min_bytes).unwrap_or(0);
    let most = usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_FETCH);
    let mut found = read(store, asked.waiting, request, most);
    while found.size < wanted.min(MAX_FETCH) && !found.failed && Instant::now() < deadline {
        timeout_at(deadline, asked.waiting.notified()).await.ok();
        found = read(store, asked.waiting, request, most);
    }
    let mut lease = None;
    if found.size > UNLEASED {
        lease = asked.memory.try_lease(found.size);
        if lease.is_none() {
            // While other connections hold much memory, each gets a small answer, with at least one batch.
            found = read(store, asked.waiting, request, UNLEASED);
            if found.size > UNLEASED {
                lease = Some(asked.memory.lease(found.size).await);
            }
        }
    }
    Ok((encode(&found, &asked)?, lease))
}

fn read(store: &Store, waiting: &Arc<Notify>, request: &FetchRequest, most: usize) -> Found {
    let mut found = Found { topics: Vec::new(), size: 0, failed: false };
    for topic in &request.topics {
        let mut partitions = Vec::new();
        for wanted in &topic.partitions {
            let most = most.saturating_sub(found.size);
            let first = found.size == 0;
            let read = store.with(&topic.topic, wanted.partition, |log| {
                read_log(log, waiting, wanted, most, first)
            });
            let partition = read.unwrap_or_else(|error| Partition {
                index: wanted.partition,
                error: error.code(),
                high_watermark: -1,
                start: -1,
                records: Vec::new(),
            });
            found.size += partition.records.iter().map(Bytes::len).sum::<usize>();
            found.failed |= partition.error != 0;
            partitions.push(partition);
        }
        found.topics.push((topic.topic.clone(), partitions));
    }
    found
}

fn read_log(
    log: &mut Log,
    waiting: &Arc<Notify>,
    wanted: &FetchPartition,
    most: usize,
    at_least_one: bool,
) -> Partition {
    let most = most.min(usize::try_from(wanted.partition_max_bytes).unwrap_or(0));
    let (error, records) = match log.read(wanted.fetch_offset, most, at_least_one) {
        Ok(records) => (0, records),
        Err(error) => (error.code(), Vec::new()),
    };
    if error == 0 && records.is_empty() {
        log.wait(waiting);
    }
    let (high_watermark, start) = (log.end(), log.start());
    Partition { index: wanted.partition, error, high_watermark, start, records }
}

fn encode(found: &Found, asked: &Asked<'_>) -> anyhow::Result<Rope> {
    let version = asked.version;
    let mut answer = Builder::default();
    let frame = answer.buffer();
    frame.put_i32(0); // the length
    let header = ResponseHeader::default().with_correlation_id(asked.correlation);
    header.encode(frame, FetchResponse::header_version(version))?;
    frame.put_i32(0); // throttled for so long
    if version >= since::SESSIONS {
        frame.put_i16(0);
        frame.put_i32(0); // there are no sessions
    }
    put_length(frame, version, found.topics.len());
    for (name, partitions) in &found.topics {
        if version >= since::FLEXIBLE {
            put_length(answer.buffer(), version, name.len());
        } else {
            answer.buffer().put_i16(i16::try_from(name.len())?);
        }
        answer.buffer().put_slice(name.as_bytes());
        put_length(answer.buffer(), version, partitions.len());
        for partition in partitions {
            put_partition(&mut answer, version, partition);
        }
        put_no_tags(answer.buffer(), version);
    }
    put_no_tags(answer.buffer(), version);
    answer.framed()
}

fn put_partition(answer: &mut Builder, version: i16, partition: &Partition) {
    let frame = answer.buffer();
    frame.put_i32(partition.index);
    frame.put_i16(partition.error);
    frame.put_i64(partition.high_watermark);
    frame.put_i64(partition.high_watermark); // the last stable offset
    if version >= since::LOG_START {
        frame.put_i64(partition.start);
    }
    put_length(frame, version, 0); // aborted transactions
    if version >= since::PREFERRED_REPLICA {
        frame.put_i32(-1);
    }
    put_length(frame, version, partition.records.iter().map(Bytes::len).sum());
    partition.records.iter().for_each(|batch| answer.share(batch));
    put_no_tags(answer.buffer(), version);
}

/// Writes the length of an array, of bytes, or of a flexible version's string.
fn put_length(frame: &mut BytesMut, version: i16, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    if version < since::FLEXIBLE {
        return frame.put_u32(length);
    }
    let mut rest = length.saturating_add(1);
    while rest >= 0x80 {
        frame.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    frame.put_u8(rest as u8);
}

fn put_no_tags(frame: &mut BytesMut, version: i16) {
    if version >= since::FLEXIBLE {
        frame.put_u8(0);
    }
}
