//! A guard between bytes from the network and the codec.
//!
//! The codec reserves memory for as many elements as an array claims to have, before it reads the first one: a frame of twenty
//! bytes could ask for more memory than the machine has, which ends the process.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::buf::ByteBuf;

/// Bytes in which no array claims more elements than there are bytes left.
///
/// Where lengths are varints, they are checked as they are read: no other field is a varint, and a boolean never has more than
/// one byte. Where lengths are plain integers, other fields may be integers of any size. So a trial decoding reads every integer
/// reduced to at most one more than the bytes left: if a reduced integer was a length, the decoding fails.
pub(super) struct Guarded {
    pub(super) bytes: Bytes,
    pub(super) clamps: bool,
    varint: usize,
    shift: u32,
}

impl Guarded {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes, clamps: false, varint: 0, shift: 0 }
    }

    /// One more than the bytes that are left.
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
        // A varint of four bytes can exceed the size of any frame.
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
