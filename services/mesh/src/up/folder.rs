//! `.mesh/`: the state of a mesh, with a lock so that only one mesh uses the folder.

use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::running::Running;

/// The folder within it where lens keeps traces, log lines and metrics.
pub(super) const TELEMETRY: &str = "lens";

/// The folder within it with the metrics of a recorded run, while that is shown.
pub(super) const REPLAY: &str = "replay";

/// The lock on a folder, for as long as this lives; the system releases it when the process ends, however it ends.
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Locks the folder; returns what a killed supervisor has left in it.
    ///
    /// # Errors
    /// Another supervisor has the lock.
    pub(super) fn claim(path: &Path) -> anyhow::Result<(Self, Option<Running>)> {
        fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        let lock_path = path.join("lock");
        let lock = File::options().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.with_context(|| format!("cannot open {}", lock_path.display()))?;
        let left = Running::read(path);
        match lock.try_lock() {
            // A file that cannot be read is from another version, or half written: it is not needed.
            Ok(()) => Ok((Self { path: path.to_owned(), _lock: lock }, left.unwrap_or_default())),
            Err(TryLockError::WouldBlock) => {
                let who = match left {
                    Ok(Some(running)) => {
                        format!("process {}, gateway {}", running.pid, running.gateway.join(", "))
                    }
                    _ => "starting".into(),
                };
                bail!(
                    "a mesh runs in this folder already ({who}): stop it with Ctrl-C there, or start in another folder with another --port-base"
                )
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", lock_path.display()))
            }
        }
    }

    /// Writes the addresses of the mesh for the other commands.
    pub(super) fn to_lines(&self, running: &Running) -> anyhow::Result<()> {
        running.write(&self.path)
    }

    /// An empty folder for a recorded run; it is removed with the lock.
    pub(super) fn replay(&self) -> anyhow::Result<PathBuf> {
        let path = self.path.join(REPLAY);
        remove(&path)?;
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// Removes every database, and the traces, log lines and metrics that lens has kept.
    pub(super) fn forget(&self) -> anyhow::Result<()> {
        remove(&self.path.join(TELEMETRY))?;
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // SQLite keeps two more files beside an open database, and the service one as a reserve for a full disk.
            if [".db", ".db-wal", ".db-shm", ".db-reserve"].iter().any(|end| name.ends_with(end)) {
                fs::remove_file(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

/// Removes a folder, if there is one.
fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path.join(REPLAY)).ok();
        Running::remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::running::Kafka;

    fn running() -> Running {
        Running {
            pid: 4711,
            port_base: 8080,
            control: "http://127.0.0.1:8089".into(),
            gateway: vec!["http://127.0.0.1:8080".into()],
            grpc: BTreeMap::new(),
            kafka: Kafka { brokers: String::new(), embedded: true },
            nats: String::new(),
        }
    }

    #[test]
    fn a_folder_has_one_supervisor() {
        let place = tempfile::tempdir().unwrap();
        let (folder, left) = Folder::claim(place.path()).unwrap();
        assert_eq!(left, None);
        folder.to_lines(&running()).unwrap();
        let refused = Folder::claim(place.path()).err().unwrap().to_string();
        assert!(refused.contains("process 4711, gateway http://127.0.0.1:8080"), "{refused}");
        drop(folder);
        assert_eq!(Folder::claim(place.path()).unwrap().1, None);
    }

    #[test]
    fn what_a_killed_supervisor_left_is_taken_over() {
        let place = tempfile::tempdir().unwrap();
        running().write(place.path()).unwrap();
        assert_eq!(Folder::claim(place.path()).unwrap().1, Some(running()));
        fs::write(place.path().join("mesh.json"), "{").unwrap();
        assert_eq!(Folder::claim(place.path()).unwrap().1, None);
    }

    #[test]
    fn forgetting_leaves_what_is_not_ours() {
        let place = tempfile::tempdir().unwrap();
        for name in ["orders.db", "orders.db-wal", "orders.db-shm", "notes.txt"] {
            fs::write(place.path().join(name), "").unwrap();
        }
        let (folder, _) = Folder::claim(place.path()).unwrap();
        folder.forget().unwrap();
        fs::create_dir(place.path().join(TELEMETRY)).unwrap();
        fs::write(place.path().join(TELEMETRY).join("traces"), "").unwrap();
        folder.forget().unwrap();
        let mut left: Vec<_> =
            fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["lock", "notes.txt"]);
    }
}
