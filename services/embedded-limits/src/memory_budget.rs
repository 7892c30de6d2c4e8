//! Limits the memory that all connections of a server use together.
//!
//! Each connection may always use a small amount. For more it takes a lease, for as long as a request is read, handled and
//! answered. When everything is leased, a connection that needs a lease waits, and connections that have held theirs for long are
//! closed: a client that stops in the middle of a message delays the others only for a moment.

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

/// The bytes that a connection may use without a lease.
pub const UNLEASED: usize = 32 << 10;
/// A lease without progress for this long may be revoked when others wait: on one machine a mebibyte takes a millisecond.
const STALLED: Duration = Duration::from_millis(200);
/// A lease that was held for this long may be revoked when others wait, even if it makes progress.
const SAFE: Duration = Duration::from_secs(2);
/// How often a waiting connection looks for leases to revoke.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The unit of accounting, in bytes.
const UNIT: usize = 1 << 10;

/// The limit, and the leases that are held.
pub struct MemoryBudget {
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

/// A share of the memory, until it is dropped.
pub struct Lease {
    memory: Arc<MemoryBudget>,
    id: u64,
    revoked: Arc<Notify>,
    _units: OwnedSemaphorePermit,
}

impl MemoryBudget {
    /// A budget of `bytes`.
    pub fn new(bytes: usize) -> Arc<Self> {
        let all = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX);
        Arc::new(Self {
            units: Arc::new(Semaphore::new(all as usize)),
            all,
            holders: Mutex::default(),
            next: 0.into(),
        })
    }

    /// A lease of `bytes`, if there is enough memory now.
    pub fn try_lease(self: &Arc<Self>, bytes: usize) -> Option<Lease> {
        let units = Arc::clone(&self.units).try_acquire_many_owned(self.units_of(bytes)).ok()?;
        Some(self.leased(units))
    }

    /// Waits until `bytes` are free; asks for no more than the whole limit.
    pub async fn lease(self: &Arc<Self>, bytes: usize) -> Lease {
        let mut acquired = pin!(Arc::clone(&self.units).acquire_many_owned(self.units_of(bytes)));
        loop {
            match timeout(LOOK_AGAIN, &mut acquired).await {
                Ok(Ok(units)) => return self.leased(units),
                // Unreachable: the semaphore is never closed.
                Ok(Err(_)) => std::future::pending().await,
                Err(_) => self.revoke_old(),
            }
        }
    }

    /// The bytes that are leased now.
    #[cfg(test)]
    pub fn leased_bytes(&self) -> usize {
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
    /// Notes that more bytes have arrived: the lease is not stalled.
    pub fn progress(&self) {
        if let Some(holder) = self.memory.holders.lock().get_mut(&self.id) {
            holder.progress = Instant::now();
        }
    }

    /// Returns when the lease is revoked because others wait: the connection must be closed.
    pub async fn revoked(&self) {
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
    async fn a_lease_held_for_long_is_revoked_when_another_connection_waits() {
        let memory = MemoryBudget::new(10 * UNIT);
        let old = memory.lease(6 * UNIT).await;
        assert!(memory.try_lease(5 * UNIT).is_none());
        let hold_on = async {
            old.revoked().await;
            drop(old);
        };
        let both = async { tokio::join!(hold_on, memory.lease(5 * UNIT)) };
        let (_, new) = timeout(10 * SAFE, both).await.expect("the old lease is revoked");
        assert_eq!(memory.leased_bytes(), 5 * UNIT);
        // No connection waits, so no lease is revoked.
        assert!(timeout(10 * SAFE, new.revoked()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_with_progress_is_revoked_only_after_two_seconds() {
        let memory = MemoryBudget::new(UNIT);
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
    async fn a_lease_larger_than_the_budget_gets_the_whole_budget() {
        let memory = MemoryBudget::new(3 * UNIT);
        let all = memory.lease(usize::MAX).await;
        assert!(memory.try_lease(1).is_none());
        drop(all);
        assert_eq!(memory.leased_bytes(), 0);
    }
}
