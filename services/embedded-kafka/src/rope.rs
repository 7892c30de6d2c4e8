//! An answer in pieces: it contains the log's own batches, which are not copied for each reader.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Below this size, a copy is cheaper than a separate piece.
const COPIED: usize = 4 << 10;

/// Builds a rope piece by piece.
#[derive(Default)]
pub(super) struct Builder {
    written: BytesMut,
    /// The shared pieces, each with the position in `written` before which it goes.
    between: Vec<(usize, Bytes)>,
}

/// The bytes to send.
#[derive(Debug, Default)]
pub(super) struct Rope(VecDeque<Bytes>);

impl Builder {
    /// The buffer for everything but the shared pieces.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.written
    }

    pub(super) fn share(&mut self, piece: &Bytes) {
        if piece.len() < COPIED {
            self.written.put_slice(piece);
        } else {
            self.between.push((self.written.len(), piece.clone()));
        }
    }

    /// Sets the first four bytes, which are reserved already, to the length of the rest.
    pub(super) fn framed(mut self) -> anyhow::Result<Rope> {
        let shared: usize = self.between.iter().map(|(_, piece)| piece.len()).sum();
        let prefix = size_of::<i32>();
        let length = i32::try_from(self.written.len() + shared - prefix)?;
        self.written[..prefix].copy_from_slice(&length.to_be_bytes());
        let (mut written, mut done) = (self.written.freeze(), 0);
        let mut pieces = VecDeque::with_capacity(2 * self.between.len() + 1);
        for (place, piece) in self.between {
            pieces.push_back(written.split_to(place - done));
            pieces.push_back(piece);
            done = place;
        }
        pieces.push_back(written);
        pieces.retain(|piece| !piece.is_empty());
        Ok(Rope(pieces))
    }
}

impl From<Bytes> for Rope {
    fn from(whole: Bytes) -> Self {
        Self([whole].into())
    }
}

impl Buf for Rope {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map(|piece| &piece[..]).unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let both = slices.iter_mut().zip(&self.0);
        both.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.0.front_mut() {
            let step = count.min(front.len());
            front.advance(step);
            count -= step;
            if !front.is_empty() {
                return;
            }
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_sent_in_their_order_with_their_length_first() {
        let mut builder = Builder::default();
        builder.buffer().put_slice(&[0; 4]);
        builder.buffer().put_slice(b"a");
        let large = Bytes::from(vec![b'x'; COPIED]);
        builder.share(&large);
        builder.share(&large);
        builder.share(&Bytes::from_static(b"small"));
        let mut rope = builder.framed().unwrap();
        assert_eq!(rope.0.len(), 4);
        let length = 1 + 2 * COPIED + 5;
        assert_eq!(rope.remaining(), 4 + length);
        assert_eq!(rope.get_i32(), length as i32);
        let rest = rope.copy_to_bytes(rope.remaining());
        assert_eq!(rest, [b"a", &large[..], &large[..], b"small"].concat());
        assert!(!rope.has_remaining());
    }
}
