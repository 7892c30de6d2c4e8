//! Limits the number of connections; an idle one gives way to a new one.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

pub(super) struct Seats {
    most: usize,
    taken: Mutex<Vec<Arc<Seat>>>,
}

/// The place of one connection, held for as long as it lives.
pub(super) struct Seat {
    state: Mutex<State>,
    leave: Notify,
}

struct State {
    /// When the client last sent something.
    heard: Instant,
    /// Whether the connection stays however long it is silent.
    kept: bool,
}

impl Seats {
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// A place for a new connection. If all are taken, the one that has been silent for longest gives way; `None` if all stay.
    pub(super) fn take(&self) -> Option<Arc<Seat>> {
        let mut taken = self.taken.lock();
        if taken.len() >= self.most {
            taken.retain(|seat| Arc::strong_count(seat) > 1);
        }
        if taken.len() >= self.most {
            let silent = taken.iter().enumerate().filter(|(_, seat)| !seat.state.lock().kept);
            let (index, _) = silent.min_by_key(|(_, seat)| seat.state.lock().heard)?;
            taken.swap_remove(index).leave.notify_one();
        }
        let state = State { heard: Instant::now(), kept: false };
        let seat = Arc::new(Seat { state: Mutex::new(state), leave: Notify::new() });
        taken.push(Arc::clone(&seat));
        Some(seat)
    }
}

impl Seat {
    /// Notes that the client has sent something.
    pub(super) fn heard(&self) {
        self.state.lock().heard = Instant::now();
    }

    /// Lets the connection stay, however long it is silent.
    pub(super) fn keep(&self) {
        self.state.lock().kept = true;
    }

    /// Returns when another connection needs the place.
    pub(super) async fn left(&self) {
        self.leave.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_silence_gives_way() {
        let seats = Seats::new(2);
        let (first, second) = (seats.take().unwrap(), seats.take().unwrap());
        tokio::time::advance(Duration::from_secs(1)).await;
        first.heard();
        let third = seats.take().unwrap();
        assert!(second.left().now_or_never().is_some() && first.left().now_or_never().is_none());
        drop(first);
        drop(second);
        // A free place is taken before any connection has to give way.
        let _fourth = seats.take().unwrap();
        assert!(third.left().now_or_never().is_none());
    }

    #[test]
    fn where_all_are_kept_there_is_no_place() {
        let seats = Seats::new(1);
        let only = seats.take().unwrap();
        only.keep();
        assert!(seats.take().is_none());
        drop(only);
        assert!(seats.take().is_some());
    }
}
