//! Frames: a length, a header, a body.

use std::{io, sync::Arc};

use anyhow::{Context, bail, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{ApiKey, RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

use super::{
    guard::Guarded,
    limits::{MAX_PRODUCE_REQUEST, MAX_REQUEST, READ_DEADLINE},
    rope::Rope,
};
use embedded_limits::{Lease, MemoryBudget, UNLEASED};

/// The size of the length before a frame.
const PREFIX: usize = 4;
/// The size of the API key after it.
const KEY: usize = 2;
/// The version of headers with tagged fields, which go with bodies that have them.
pub(super) const FLEXIBLE: i16 = 2;

/// What a client has sent.
pub(super) enum Incoming {
    /// A request without its length, and the lease for its memory.
    Whole(Bytes, Option<Lease>),
    /// The length of a large produce request, of which nothing is read yet.
    Long(usize),
}

/// The next request; `None` if the client has disconnected.
pub(super) async fn next(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    memory: &Arc<MemoryBudget>,
) -> anyhow::Result<Option<Incoming>> {
    if buffer.is_empty() {
        // The buffer of a large request is not kept while the connection is idle.
        *buffer = BytesMut::new();
        if read(stream, buffer).await.is_err() {
            return Ok(None);
        }
    }
    match timeout(READ_DEADLINE, whole(stream, buffer, memory)).await {
        Ok(incoming) => incoming,
        Err(_) => bail!("the rest of a request did not come within {READ_DEADLINE:?}"),
    }
}

async fn whole(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    memory: &Arc<MemoryBudget>,
) -> anyhow::Result<Option<Incoming>> {
    while buffer.len() < PREFIX {
        if read(stream, buffer).await.is_err() {
            return Ok(None);
        }
    }
    let length = usize::try_from(buffer.get_i32()).context("a negative length")?;
    ensure!(length >= KEY, "a frame of {length} bytes");
    while buffer.len() < KEY {
        if read(stream, buffer).await.is_err() {
            return Ok(None);
        }
    }
    let produces = (&buffer[..KEY]).get_i16() == ApiKey::Produce as i16;
    if produces && (UNLEASED..=MAX_PRODUCE_REQUEST).contains(&length) {
        return Ok(Some(Incoming::Long(length)));
    }
    ensure!(length <= MAX_REQUEST, "a frame of {length} bytes");
    let lease = if length > UNLEASED { Some(memory.lease(length).await) } else { None };
    let reading = async {
        buffer.reserve(length.saturating_sub(buffer.len()));
        while buffer.len() < length {
            read(stream, buffer).await?;
            lease.iter().for_each(Lease::progress);
        }
        io::Result::Ok(buffer.split_to(length).freeze())
    };
    let frame = match &lease {
        None => reading.await,
        Some(lease) => tokio::select! {
            frame = reading => frame,
            () = lease.revoked() => bail!("others needed the memory for half a request"),
        },
    };
    Ok(frame.ok().map(|frame| Incoming::Whole(frame, lease)))
}

/// Reads some more bytes; fails at the end of the stream.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<()> {
    if buffer.capacity() == buffer.len() {
        buffer.reserve(UNLEASED / 4);
    }
    match stream.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// A request with its header parsed; its body is still encoded.
pub(super) struct Request {
    pub(super) key: ApiKey,
    pub(super) version: i16,
    pub(super) client: StrBytes,
    pub(super) correlation: i32,
    flexible: bool,
    body: Bytes,
}

impl Request {
    pub(super) fn parse(frame: Bytes) -> anyhow::Result<Self> {
        let mut start = frame.clone();
        let (key, version) = (start.try_get_i16()?, start.try_get_i16()?);
        let Ok(key) = ApiKey::try_from(key) else { bail!("the unknown request {key}") };
        let header_version = key.request_header_version(version);
        let mut guarded = Guarded::new(frame);
        let header = RequestHeader::decode(&mut guarded, header_version)?;
        Ok(Self {
            key,
            version,
            client: header.client_id.unwrap_or_default(),
            correlation: header.correlation_id,
            flexible: header_version == FLEXIBLE,
            body: guarded.bytes,
        })
    }

    pub(super) fn body<B: Decodable>(&self) -> anyhow::Result<B> {
        let mut guarded = Guarded::new(self.body.clone());
        if !self.flexible {
            guarded.clamps = true;
            B::decode(&mut guarded, self.version)?;
            guarded = Guarded::new(self.body.clone());
        }
        B::decode(&mut guarded, self.version)
    }

    /// The frame of the answer, in the request's version.
    pub(super) fn answer<B: Encodable + HeaderVersion>(&self, body: &B) -> anyhow::Result<Rope> {
        answer(self.correlation, self.version, body)
    }
}

/// The frame of an answer.
pub(super) fn answer<B: Encodable + HeaderVersion>(
    correlation: i32,
    version: i16,
    body: &B,
) -> anyhow::Result<Rope> {
    let mut frame = BytesMut::with_capacity(PREFIX + 16 + body.compute_size(version)?);
    frame.put_i32(0);
    let header = ResponseHeader::default().with_correlation_id(correlation);
    header.encode(&mut frame, B::header_version(version))?;
    body.encode(&mut frame, version)?;
    let length = i32::try_from(frame.len() - PREFIX)?;
    frame[..PREFIX].copy_from_slice(&length.to_be_bytes());
    Ok(frame.freeze().into())
}

/// The protocol's error code; 0 for `Ok`.
pub(super) fn code<T>(result: &Result<T, ResponseError>) -> i16 {
    result.as_ref().err().map_or(0, ResponseError::code)
}
