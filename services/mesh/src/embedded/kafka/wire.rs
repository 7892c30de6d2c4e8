//! Frames: a length, a header, a body; and a guard between the bytes of strangers and the codec.
//!
//! The codec reserves room for as many elements as an array says that it has, before it reads the first: a frame of twenty
//! bytes could ask for more memory than there is, which ends the process.

use anyhow::{Context, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};
use kafka_protocol::{
    messages::{ApiKey, RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes, buf::ByteBuf},
};

/// Of one request: twice what a client sends at once by default.
pub(super) const LONGEST: usize = 2 << 20;
/// The bytes that say how long the rest is.
const PREFIX: usize = 4;
/// Headers with tagged fields, and bodies with them, have this version.
const FLEXIBLE: i16 = 2;

/// A request whose body is not read yet.
pub(super) struct Request {
    pub(super) key: ApiKey,
    pub(super) version: i16,
    pub(super) client: StrBytes,
    correlation: i32,
    flexible: bool,
    body: Bytes,
}

/// The next whole frame of what was read so far, without its length.
pub(super) fn frame(buffer: &mut BytesMut) -> anyhow::Result<Option<Bytes>> {
    let Some(prefix) = buffer.first_chunk::<PREFIX>() else { return Ok(None) };
    let length = usize::try_from(i32::from_be_bytes(*prefix)).context("a negative length")?;
    ensure!(length <= LONGEST, "a frame of {length} bytes");
    if buffer.len() < PREFIX + length {
        buffer.reserve(PREFIX + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(PREFIX);
    Ok(Some(buffer.split_to(length).freeze()))
}

impl Request {
    pub(super) fn parse(frame: Bytes) -> anyhow::Result<Self> {
        let mut start = frame.clone();
        let (key, version) = (start.try_get_i16()?, start.try_get_i16()?);
        let Ok(key) = ApiKey::try_from(key) else { anyhow::bail!("the unknown request {key}") };
        let header_version = key.request_header_version(version);
        let flexible = header_version == FLEXIBLE;
        let mut guarded = Guarded::new(frame);
        let header = RequestHeader::decode(&mut guarded, header_version)?;
        Ok(Self {
            key,
            version,
            client: header.client_id.unwrap_or_default(),
            correlation: header.correlation_id,
            flexible,
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

    /// The frame of its answer, in the version it was asked in.
    pub(super) fn answer<B: Encodable + HeaderVersion>(&self, body: &B) -> anyhow::Result<Bytes> {
        self.answer_in(self.version, body)
    }

    pub(super) fn answer_in<B: Encodable + HeaderVersion>(
        &self,
        version: i16,
        body: &B,
    ) -> anyhow::Result<Bytes> {
        let mut frame = BytesMut::with_capacity(PREFIX + 16 + body.compute_size(version)?);
        frame.put_i32(0);
        let header = ResponseHeader::default().with_correlation_id(self.correlation);
        header.encode(&mut frame, B::header_version(version))?;
        body.encode(&mut frame, version)?;
        let length = i32::try_from(frame.len() - PREFIX)?;
        frame[..PREFIX].copy_from_slice(&length.to_be_bytes());
        Ok(frame.freeze())
    }
}

/// Bytes in which no array has more elements than there are bytes left.
///
/// Where lengths are varints they are checked as they are read: nothing else is a varint, and a boolean never has more than
/// one byte. Where lengths are plain integers, among others that may be as large as they like, a rehearsal reads all
/// integers cut down to one more than what is left: if one that was cut was a length, it does not succeed.
struct Guarded {
    bytes: Bytes,
    clamps: bool,
    varint: usize,
    shift: u32,
}

impl Guarded {
    fn new(bytes: Bytes) -> Self {
        Self { bytes, clamps: false, varint: 0, shift: 0 }
    }

    /// One more than what is left.
    fn most(&self) -> usize {
        self.bytes.len() + 1
    }

    fn refusal(&self, requested: usize) -> TryGetError {
        TryGetError { requested, available: self.bytes.len() }
    }
}

impl Buf for Guarded {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let byte = self.bytes.try_get_u8()?;
        self.varint |= usize::from(byte & 0x7f) << self.shift;
        let (value, ends) = (self.varint, byte < 0x80);
        (self.varint, self.shift) = if ends { (0, 0) } else { (value, self.shift + 7) };
        // Four bytes hold what is more than any frame has.
        if value > self.most() || self.shift > 21 {
            return Err(self.refusal(value));
        }
        Ok(byte)
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let value = self.bytes.try_get_i32()?;
        let most = if self.clamps { self.most() } else { usize::MAX };
        Ok(value.min(i32::try_from(most).unwrap_or(i32::MAX)))
    }
}

impl ByteBuf for Guarded {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.slice(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.bytes.split_to(size)
    }
}
