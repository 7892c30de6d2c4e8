//! The pending bytes of one client, in a buffer with an upper bound.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::sync::Notify;

use embedded_limits::UNLEASED;

/// The fill level of the buffer after a message was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Fine,
    /// Above three quarters: the publisher should pause.
    High,
    /// Above the bound: the client is a slow consumer.
    Overflow,
}

pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    bound: usize,
    /// The bytes that are pending for all clients together.
    all: Arc<AtomicUsize>,
    /// Notified when there is something to write, or the outbox was closed.
    changed: Notify,
    /// Notified when the level fell to one half.
    room: Notify,
}

#[derive(Default)]
struct Waiting {
    buffer: BytesMut,
    /// The bytes that the writer has taken but not yet written.
    taken: usize,
    closed: bool,
}

impl Waiting {
    fn len(&self) -> usize {
        self.buffer.len() + self.taken
    }
}

impl Outbox {
    pub(super) fn new(bound: usize, all: Arc<AtomicUsize>) -> Self {
        Self { waiting: Mutex::default(), bound, all, changed: Notify::new(), room: Notify::new() }
    }

    /// Adds what `write` writes, as one piece; does nothing once the outbox is closed.
    pub(super) fn put(&self, write: impl FnOnce(&mut BytesMut)) -> Level {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Level::Fine;
        }
        let (was_empty, before) = (waiting.buffer.is_empty(), waiting.len());
        write(&mut waiting.buffer);
        let length = waiting.len();
        self.all.fetch_add(length - before, Relaxed);
        drop(waiting);
        if was_empty {
            self.changed.notify_one();
        }
        match length {
            length if length > self.bound => Level::Overflow,
            length if length > self.bound / 4 * 3 => Level::High,
            _ => Level::Fine,
        }
    }

    pub(super) fn say(&self, line: &str) {
        self.put(|buffer| buffer.extend_from_slice(line.as_bytes()));
    }

    /// The bytes that are pending.
    pub(super) fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Whether the outbox still takes messages.
    pub(super) fn is_open(&self) -> bool {
        !self.waiting.lock().closed
    }

    /// Refuses everything from now on; returns whether this call closed it.
    pub(super) fn close(&self) -> bool {
        let first = !std::mem::replace(&mut self.waiting.lock().closed, true);
        self.changed.notify_one();
        self.room.notify_waiters();
        first
    }

    /// Refuses everything from now on and drops what is pending; returns whether this call closed it.
    pub(super) fn discard(&self) -> bool {
        let first = self.close();
        let mut waiting = self.waiting.lock();
        self.all.fetch_sub(waiting.len(), Relaxed);
        (waiting.buffer, waiting.taken) = (BytesMut::new(), 0);
        first
    }

    /// Waits for pending bytes and takes all of them; `None` once the outbox is closed and empty.
    pub(super) async fn take(&self) -> Option<BytesMut> {
        loop {
            {
                let mut waiting = self.waiting.lock();
                if !waiting.buffer.is_empty() {
                    // A buffer that grew large is not kept.
                    let is_large = waiting.buffer.capacity() > UNLEASED;
                    let chunk = if is_large {
                        std::mem::take(&mut waiting.buffer)
                    } else {
                        waiting.buffer.split()
                    };
                    waiting.taken = chunk.len();
                    return Some(chunk);
                }
                if waiting.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Notes that this many of the bytes taken were written.
    pub(super) fn written(&self, bytes: usize) {
        let mut waiting = self.waiting.lock();
        let bytes = bytes.min(waiting.taken);
        waiting.taken -= bytes;
        self.all.fetch_sub(bytes, Relaxed);
        let roomy = waiting.len() <= self.bound / 2;
        drop(waiting);
        if roomy {
            self.room.notify_waiters();
        }
    }

    /// Returns when at most half of the bound is pending, or the outbox is closed.
    pub(super) async fn has_room(&self) {
        let room = self.room.notified();
        {
            let waiting = self.waiting.lock();
            if waiting.closed || waiting.len() <= self.bound / 2 {
                return;
            }
        }
        room.await;
    }
}

impl Drop for Outbox {
    /// The bytes that were not written are no longer pending.
    fn drop(&mut self) {
        self.all.fetch_sub(self.waiting.get_mut().len(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_writer_holds_still_counts() {
        let outbox = Outbox::new(100, Arc::default());
        assert_eq!(outbox.put(|buffer| buffer.resize(80, 0)), Level::High);
        assert_eq!(outbox.take().await.map(|chunk| chunk.len()), Some(80));
        assert_eq!(outbox.put(|buffer| buffer.resize(30, 0)), Level::Overflow);
        outbox.written(80);
        assert_eq!(outbox.put(|buffer| buffer.extend_from_slice(b"x")), Level::Fine);
    }

    #[tokio::test]
    async fn a_closed_outbox_is_emptied_and_takes_no_more() {
        let outbox = Outbox::new(100, Arc::default());
        outbox.say("last words");
        assert!(outbox.close());
        assert!(!outbox.close());
        outbox.say("too late");
        assert_eq!(outbox.take().await.as_deref(), Some(&b"last words"[..]));
        assert_eq!(outbox.take().await, None);
    }

    #[tokio::test]
    async fn room_comes_with_writing() {
        let outbox = Outbox::new(100, Arc::default());
        outbox.put(|buffer| buffer.resize(80, 0));
        let chunk = outbox.take().await;
        tokio::join!(outbox.has_room(), async {
            tokio::task::yield_now().await;
            outbox.written(chunk.map_or(0, |chunk| chunk.len()));
        });
    }

    #[test]
    fn what_waits_for_all_is_known() {
        let all = Arc::new(AtomicUsize::new(0));
        let (one, other) = (Outbox::new(100, Arc::clone(&all)), Outbox::new(100, Arc::clone(&all)));
        one.say("12345");
        other.say("123");
        assert_eq!(all.load(Relaxed), 8);
        assert!(one.discard() && !one.is_open());
        assert_eq!((one.len(), all.load(Relaxed)), (0, 3));
        drop((one, other));
        assert_eq!(all.load(Relaxed), 0);
    }
}
