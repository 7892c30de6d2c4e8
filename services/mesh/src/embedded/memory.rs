//! What all connections of a server may hold together.
//!
//! Each may always have a little. For more it takes a lease, for as long as a request is read, handled and answered. When
//! everything is leased, whoever needs some waits, and those who have held theirs for long are cut off: a client that
//! stops in the middle of a message costs the others a moment and not their service.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

/// Bytes that a connection may hold without asking.
pub(super) const FREE: usize = 32 << 10;
/// How long a lease is safe although others wait, if nothing comes of it: on one machine a mebibyte takes a millisecond.
const STALLED: Duration = Duration::from_millis(200);
/// How long it is safe in any case.
const SAFE: Duration = Duration::from_secs(2);
/// How often those who wait look whether somebody can be cut off.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// What is counted, in bytes.
const UNIT: usize = 1 << 10;

/// A bound, and who holds how much of it.
pub(super) struct Memory {
    units: Arc<Semaphore>,
    all: u32,
    holders: Mutex<BTreeMap<u64, Holder>>,
    next: AtomicU64,
}

struct Holder {
    since: Instant,
    progress: Instant,
    revoked: Arc<Notify>,
}

/// Some of it, until it is dropped.
pub(super) struct Lease {
    memory: Arc<Memory>,
    id: u64,
    revoked: Arc<Notify>,
    _units: OwnedSemaphorePermit,
}

impl Memory {
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        let all = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX);
        Arc::new(Self {
            units: Arc::new(Semaphore::new(all as usize)),
            all,
            holders: Mutex::default(),
            next: 0.into(),
        })
    }

    /// If there is as much now.
    pub(super) fn try_lease(self: &Arc<Self>, bytes: usize) -> Option<Lease> {
        let units = Arc::clone(&self.units).try_acquire_many_owned(self.units_of(bytes)).ok()?;
        Some(self.leased(units))
    }

    /// Once there is as much; never more than all.
    pub(super) async fn lease(self: &Arc<Self>, bytes: usize) -> Lease {
        let mut acquired = pin!(Arc::clone(&self.units).acquire_many_owned(self.units_of(bytes)));
        loop {
            match timeout(LOOK_AGAIN, &mut acquired).await {
                Ok(Ok(units)) => return self.leased(units),
                // It is never closed.
                Ok(Err(_)) => std::future::pending().await,
                Err(_) => self.revoke_old(),
            }
        }
    }

    /// Bytes that are leased now.
    #[cfg(test)]
    pub(super) fn leased_bytes(&self) -> usize {
        (self.all as usize - self.units.available_permits()) * UNIT
    }

    fn units_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.all)
    }

    fn leased(self: &Arc<Self>, units: OwnedSemaphorePermit) -> Lease {
        let id = self.next.fetch_add(1, Relaxed);
        let revoked = Arc::new(Notify::new());
        let now = Instant::now();
        let holder = Holder { since: now, progress: now, revoked: Arc::clone(&revoked) };
        self.holders.lock().insert(id, holder);
        Lease { memory: Arc::clone(self), id, revoked, _units: units }
    }

    fn revoke_old(&self) {
        for holder in self.holders.lock().values() {
            if holder.progress.elapsed() >= STALLED || holder.since.elapsed() >= SAFE {
                holder.revoked.notify_one();
            }
        }
    }
}

impl Lease {
    /// Some more has come: it is not stalled.
    pub(super) fn progress(&self) {
        if let Some(holder) = self.memory.holders.lock().get_mut(&self.id) {
            holder.progress = Instant::now();
        }
    }

    /// Returns when others need it: the connection must end.
    pub(super) async fn revoked(&self) {
        self.revoked.notified().await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.memory.holders.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_has_held_for_long_gives_way_to_who_waits() {
        let memory = Memory::new(10 * UNIT);
        let old = memory.lease(6 * UNIT).await;
        assert!(memory.try_lease(5 * UNIT).is_none());
        let hold_on = async {
            old.revoked().await;
            drop(old);
        };
        let both = async { tokio::join!(hold_on, memory.lease(5 * UNIT)) };
        let (_, new) = timeout(10 * SAFE, both).await.expect("the old lease is revoked");
        assert_eq!(memory.leased_bytes(), 5 * UNIT);
        // Nobody waits, so nobody has to go.
        assert!(timeout(10 * SAFE, new.revoked()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_safe_for_a_while() {
        let memory = Memory::new(UNIT);
        let busy = memory.lease(UNIT).await;
        let begun = Instant::now();
        let work = async {
            loop {
                tokio::select! {
                    () = busy.revoked() => return begun.elapsed(),
                    () = tokio::time::sleep(STALLED / 2) => busy.progress(),
                }
            }
        };
        let work = timeout(10 * SAFE, work);
        let waits = timeout(2 * SAFE, memory.lease(UNIT));
        let (held, waited) = tokio::join!(work, waits);
        assert!(held.expect("the lease is revoked") >= SAFE && waited.is_err());
    }

    #[tokio::test]
    async fn all_of_it_is_as_much_as_anybody_gets() {
        let memory = Memory::new(3 * UNIT);
        let all = memory.lease(usize::MAX).await;
        assert!(memory.try_lease(1).is_none());
        drop(all);
        assert_eq!(memory.leased_bytes(), 0);
    }
}
