//! The write-ahead log: moved into the file while others go on, and cut when it is too long.
//!
//! SQLite begins the log anew only at a moment when all of it is in the file and no other connection uses it. Under load there is
//! no such moment, and the log grows; so, when it is too long, those who write and read wait for one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use rusqlite::Connection;
use tokio::{
    sync::Mutex,
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};

use super::disk::Disk;

/// Commits between two checkpoints that nobody waits for.
const COMMITS: u32 = 500;
/// How often a log that is too long is cut at most: one that another process reads cannot be.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the log short.
pub(in crate::database) struct Keeper {
    writer: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
    /// A connection of its own: a checkpoint waits for the disk.
    cleaner: Arc<parking_lot::Mutex<Connection>>,
    disk: Arc<Disk>,
    commits: AtomicU32,
    /// Bytes of a log that is too long.
    longest: AtomicU64,
    working: Arc<AtomicBool>,
    cut_at: parking_lot::Mutex<Option<Instant>>,
}

impl Keeper {
    pub(in crate::database) fn new(
        writer: &Arc<Mutex<Connection>>,
        reader: &Arc<Mutex<Connection>>,
        cleaner: Connection,
        disk: &Arc<Disk>,
    ) -> Self {
        Self {
            writer: Arc::clone(writer),
            reader: Arc::clone(reader),
            cleaner: Arc::new(parking_lot::Mutex::new(cleaner)),
            disk: Arc::clone(disk),
            commits: AtomicU32::new(0),
            longest: AtomicU64::new(disk.longest_log()),
            working: Arc::default(),
            cut_at: parking_lot::Mutex::new(None),
        }
    }

    /// After each commit.
    pub(in crate::database) fn committed(&self) {
        let commits = self.commits.fetch_add(1, Ordering::Relaxed);
        let long = self.disk.log_bytes() > self.longest.load(Ordering::Relaxed);
        if long && self.cut_at.lock().is_none_or(|since| since.elapsed() > PAUSE) {
            *self.cut_at.lock() = Some(Instant::now());
            drop(self.work(true));
        } else if commits >= COMMITS {
            drop(self.work(false));
        }
    }

    /// Cuts the log to nothing, whatever its length.
    pub(in crate::database) async fn cut(&self) {
        if let Some(work) = self.work(true) {
            // One that panicked is told of by the runtime.
            work.await.ok();
        }
    }

    /// Commits since the last checkpoint.
    pub(in crate::database) fn commits(&self) -> u32 {
        self.commits.load(Ordering::Relaxed)
    }

    /// A checkpoint, unless one is at work already.
    fn work(&self, cut: bool) -> Option<JoinHandle<()>> {
        if self.working.swap(true, Ordering::Acquire) {
            return None;
        }
        self.commits.store(0, Ordering::Relaxed);
        self.longest.store(self.disk.longest_log(), Ordering::Relaxed);
        let (cleaner, working) = (Arc::clone(&self.cleaner), Arc::clone(&self.working));
        let (writer, reader) = (Arc::clone(&self.writer), Arc::clone(&self.reader));
        Some(spawn_blocking(move || {
            let cleaner = cleaner.lock();
            // First what nobody has to wait for.
            let mut done = checkpoint(&cleaner, "passive");
            if cut && done.is_ok() {
                let _alone = (writer.blocking_lock(), reader.blocking_lock());
                done = checkpoint(&cleaner, "truncate");
            }
            if let Err(error) = done {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the write-ahead log was not moved into the database"
                );
            }
            working.store(false, Ordering::Release);
        }))
    }
}

fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("pragma wal_checkpoint({mode})"), [], |_| Ok(()))
}
