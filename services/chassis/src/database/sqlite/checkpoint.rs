//! The write-ahead log. It is moved into the file while statements run, and cut when it is too long.
//!
//! SQLite restarts the log only when all of it is in the file and no other connection uses it. Under load there is no such
//! moment, and the log grows. When it is too long, writers and readers therefore wait until it is cut.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
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

/// How many commits lie between two checkpoints for which no transaction waits.
const COMMITS: u32 = 500;
/// How long a log that could not be cut, because another process reads it, is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// A log that is this many times too long makes transactions wait until it is cut: it grows faster than it is moved into the
/// file.
const FAR_TOO_LONG: u64 = 4;

/// Keeps the log short.
pub(in crate::database) struct Checkpoints {
    writer: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
    /// A connection of its own, because a checkpoint waits for the disk.
    checkpointer: Arc<parking_lot::Mutex<Connection>>,
    disk: Arc<Disk>,
    commits: AtomicU32,
    /// The length in bytes above which the log is too long.
    longest: AtomicU64,
    /// Held by the checkpoint that is running.
    working: Arc<Mutex<()>>,
    /// When a checkpoint last failed to cut a log that is too long.
    pinned: Arc<parking_lot::Mutex<Option<Instant>>>,
}

impl Checkpoints {
    pub(in crate::database) fn new(
        writer: &Arc<Mutex<Connection>>,
        reader: &Arc<Mutex<Connection>>,
        checkpointer: Connection,
        disk: &Arc<Disk>,
    ) -> Self {
        Self {
            writer: Arc::clone(writer),
            reader: Arc::clone(reader),
            checkpointer: Arc::new(parking_lot::Mutex::new(checkpointer)),
            disk: Arc::clone(disk),
            commits: AtomicU32::new(0),
            longest: AtomicU64::new(disk.longest_log()),
            working: Arc::default(),
            pinned: Arc::default(),
        }
    }

    /// Called after each commit. Waits for the checkpoint if the log is far too long.
    pub(in crate::database) async fn committed(&self) {
        let commits = self.commits.fetch_add(1, Ordering::Relaxed);
        let (log, longest) = (self.disk.log_bytes(), self.longest.load(Ordering::Relaxed));
        let pinned = self.pinned.lock().is_some_and(|since| since.elapsed() <= PAUSE);
        if log > longest && !pinned {
            drop(self.work(true));
            if log > FAR_TOO_LONG * longest {
                drop(self.working.lock().await);
            }
        } else if commits >= COMMITS {
            drop(self.work(false));
        }
    }

    /// Cuts the log to zero bytes, whatever its length. Does nothing while a checkpoint is running.
    pub(in crate::database) async fn cut(&self) {
        if let Some(work) = self.work(true) {
            // The runtime reports a panic of this task.
            work.await.ok();
        }
    }

    /// Returns the number of commits since the last checkpoint.
    pub(in crate::database) fn commits(&self) -> u32 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Starts a checkpoint, unless one is running already.
    fn work(&self, cut: bool) -> Option<JoinHandle<()>> {
        let working = Arc::clone(&self.working).try_lock_owned().ok()?;
        self.commits.store(0, Ordering::Relaxed);
        self.longest.store(self.disk.longest_log(), Ordering::Relaxed);
        let (checkpointer, disk) = (Arc::clone(&self.checkpointer), Arc::clone(&self.disk));
        let (pinned, longest) = (Arc::clone(&self.pinned), self.longest.load(Ordering::Relaxed));
        let (writer, reader) = (Arc::clone(&self.writer), Arc::clone(&self.reader));
        Some(spawn_blocking(move || {
            let checkpointer = checkpointer.lock();
            // First the part that blocks no reader and no writer.
            let mut done = checkpoint(&checkpointer, "passive");
            if cut && done.is_ok() {
                let _exclusive = (writer.blocking_lock(), reader.blocking_lock());
                done = checkpoint(&checkpointer, "truncate");
                *pinned.lock() = (disk.log_bytes() > longest).then(Instant::now);
            }
            if let Err(error) = done {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the write-ahead log was not moved into the database"
                );
            }
            drop(working);
        }))
    }
}

fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("pragma wal_checkpoint({mode})"), [], |_| Ok(()))
}
