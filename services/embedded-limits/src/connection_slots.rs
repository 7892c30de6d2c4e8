//! Limits the number of connections; an idle one gives way to a new one.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

/// The slots of all connections of a server.
pub struct ConnectionSlots {
    max: usize,
    taken: Mutex<Vec<Arc<ConnectionSlot>>>,
}

/// The slot of one connection, held for as long as the connection lives.
pub struct ConnectionSlot {
    state: Mutex<State>,
    evict: Notify,
}

struct State {
    /// When the client last sent something.
    last_activity: Instant,
    /// Whether the connection keeps its slot, however long it is silent.
    pinned: bool,
}

impl ConnectionSlots {
    /// Slots for `max` connections.
    pub fn new(max: usize) -> Self {
        Self { max, taken: Mutex::default() }
    }

    /// Returns a slot for a new connection. If all are taken, the unpinned connection that has been silent for longest is
    /// evicted; `None` if all are pinned.
    pub fn acquire(&self) -> Option<Arc<ConnectionSlot>> {
        let mut taken = self.taken.lock();
        if taken.len() >= self.max {
            taken.retain(|slot| Arc::strong_count(slot) > 1);
        }
        if taken.len() >= self.max {
            let silent = taken.iter().enumerate().filter(|(_, slot)| !slot.state.lock().pinned);
            let (index, _) = silent.min_by_key(|(_, slot)| slot.state.lock().last_activity)?;
            taken.swap_remove(index).evict.notify_one();
        }
        let state = State { last_activity: Instant::now(), pinned: false };
        let slot = Arc::new(ConnectionSlot { state: Mutex::new(state), evict: Notify::new() });
        taken.push(Arc::clone(&slot));
        Some(slot)
    }
}

impl ConnectionSlot {
    /// Notes that the client has sent something.
    pub fn note_activity(&self) {
        self.state.lock().last_activity = Instant::now();
    }

    /// Keeps the connection, however long it is silent.
    pub fn pin(&self) {
        self.state.lock().pinned = true;
    }

    /// Returns when another connection needs the slot: this connection must be closed.
    pub async fn evicted(&self) {
        self.evict.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_was_silent_for_longest_is_evicted() {
        let slots = ConnectionSlots::new(2);
        let (first, second) = (slots.acquire().unwrap(), slots.acquire().unwrap());
        tokio::time::advance(Duration::from_secs(1)).await;
        first.note_activity();
        let third = slots.acquire().unwrap();
        assert!(
            second.evicted().now_or_never().is_some() && first.evicted().now_or_never().is_none()
        );
        drop(first);
        drop(second);
        // A free slot is taken before any connection is evicted.
        let _fourth = slots.acquire().unwrap();
        assert!(third.evicted().now_or_never().is_none());
    }

    #[test]
    fn no_slot_is_free_while_all_connections_are_pinned() {
        let slots = ConnectionSlots::new(1);
        let only = slots.acquire().unwrap();
        only.pin();
        assert!(slots.acquire().is_none());
        drop(only);
        assert!(slots.acquire().is_some());
    }
}
