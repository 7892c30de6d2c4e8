//! A large produce request, read batch by batch: a batch that is too large is skipped and refused, and the others are stored.
//! Read as a whole, the request would take a hundred times the memory of the largest batch.

use anyhow::{Context, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{
        ProduceResponse, TopicName,
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::StrBytes,
};
use tokio::{io::AsyncRead, time::timeout};

use super::{
    limits::{MAX_BATCH, MAX_PRODUCE_PARTITIONS, MAX_TOPIC_NAME, READ_DEADLINE},
    node::Node,
    records,
    rope::Rope,
    versions::versions_of,
    wire,
};
use embedded_limits::{Lease, UNLEASED};

/// From this version on, lengths are varints and there are tagged fields.
const FLEXIBLE: i16 = 9;

/// A request that is read while it arrives.
pub(super) struct Long<'a, R> {
    pub(super) stream: &'a mut R,
    pub(super) buffer: &'a mut BytesMut,
    /// The bytes of the request that were not consumed yet.
    pub(super) left: usize,
    /// The memory for one batch at a time.
    pub(super) lease: &'a Lease,
}

/// Handles the request; returns the frame to send, if there is one.
pub(super) async fn produce<R: AsyncRead + Unpin>(
    node: &Node,
    mut request: Long<'_, R>,
) -> anyhow::Result<Option<Rope>> {
    let _key = request.i16().await?;
    let version = request.i16().await?;
    ensure!(versions_of(0).contains(&version), "Produce {version}");
    let flexible = version >= FLEXIBLE;
    let correlation = request.i32().await?;
    request.text(false).await?;
    request.tags(flexible).await?;
    request.text(flexible).await?;
    let acknowledged = request.i16().await? != 0;
    let _timeout = request.i32().await?;
    let mut response = ProduceResponse::default();
    let mut partitions = 0;
    for _ in 0..request.length(flexible).await?.unwrap_or(0) {
        let name = String::from_utf8(request.text(flexible).await?.to_vec())?;
        ensure!(name.len() <= MAX_TOPIC_NAME, "a topic's name of {} bytes", name.len());
        let name = TopicName(StrBytes::from(name));
        let mut topic = TopicProduceResponse::default().with_name(name);
        for _ in 0..request.length(flexible).await?.unwrap_or(0) {
            partitions += 1;
            ensure!(
                partitions <= MAX_PRODUCE_PARTITIONS,
                "more than {MAX_PRODUCE_PARTITIONS} partitions"
            );
            let done = partition(node, &mut request, &topic.name, flexible).await?;
            topic.partition_responses.push(done);
        }
        request.tags(flexible).await?;
        response.responses.push(topic);
        ensure!(response.responses.len() <= MAX_PRODUCE_PARTITIONS, "too many topics");
    }
    request.tags(flexible).await?;
    ensure!(request.left == 0, "{} bytes more than a request has", request.left);
    acknowledged.then(|| wire::answer(correlation, version, &response)).transpose()
}

async fn partition<R: AsyncRead + Unpin>(
    node: &Node,
    request: &mut Long<'_, R>,
    topic: &TopicName,
    flexible: bool,
) -> anyhow::Result<PartitionProduceResponse> {
    let index = request.i32().await?;
    let length = request.length(flexible).await?.unwrap_or(0);
    let stored = if length > MAX_BATCH {
        request.skip(length).await?;
        Err(ResponseError::MessageTooLarge)
    } else {
        records::store(node, topic, index, request.take(length).await?)
    };
    request.tags(flexible).await?;
    Ok(records::stored(index, stored))
}

impl<R: AsyncRead + Unpin> Long<'_, R> {
    /// Reads more of the request; fails if the client takes too long.
    async fn more(&mut self) -> anyhow::Result<()> {
        let reading = timeout(READ_DEADLINE, wire::read(self.stream, self.buffer)).await;
        self.lease.progress();
        Ok(reading.with_context(|| format!("half a request for {READ_DEADLINE:?}"))??)
    }

    async fn take(&mut self, length: usize) -> anyhow::Result<Bytes> {
        ensure!(length <= self.left, "{length} bytes where {} are left", self.left);
        self.left -= length;
        self.buffer.reserve(length.saturating_sub(self.buffer.len()));
        while self.buffer.len() < length {
            self.more().await?;
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn skip(&mut self, length: usize) -> anyhow::Result<()> {
        let mut rest = length;
        while rest > 0 {
            let step = rest.min(UNLEASED);
            self.take(step).await?;
            rest -= step;
        }
        Ok(())
    }

    async fn i16(&mut self) -> anyhow::Result<i16> {
        Ok(self.take(2).await?.get_i16())
    }

    async fn i32(&mut self) -> anyhow::Result<i32> {
        Ok(self.take(4).await?.get_i32())
    }

    async fn varint(&mut self) -> anyhow::Result<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1).await?.get_u8();
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        bail!("a number that does not end")
    }

    /// The length of an array or of bytes; `None` for null.
    async fn length(&mut self, flexible: bool) -> anyhow::Result<Option<usize>> {
        let length = if flexible {
            self.varint().await?.checked_sub(1)
        } else {
            usize::try_from(self.i32().await?).ok()
        };
        ensure!(length.unwrap_or(0) <= self.left, "{length:?} of something");
        Ok(length)
    }

    /// A string; empty for null.
    async fn text(&mut self, flexible: bool) -> anyhow::Result<Bytes> {
        let length = if flexible {
            self.varint().await?.checked_sub(1)
        } else {
            usize::try_from(self.i16().await?).ok()
        };
        let length = length.unwrap_or(0);
        ensure!(length <= i16::MAX.unsigned_abs().into(), "a name of {length} bytes");
        self.take(length).await
    }

    async fn tags(&mut self, flexible: bool) -> anyhow::Result<()> {
        let count = if flexible { self.varint().await? } else { 0 };
        for _ in 0..count {
            let _tag = self.varint().await?;
            let length = self.varint().await?;
            self.skip(length).await?;
        }
        Ok(())
    }
}
