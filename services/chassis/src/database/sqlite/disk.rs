//! The disk of a database: its free space, a reserve for when it is full, and whether the file is still there.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::statvfs;

/// Size of the reserve file in bytes. On a full disk it is deleted, so that the write-ahead log can be moved into the file, which
/// then frees more than this.
const RESERVE: u64 = 1 << 20;
/// The reserve file is written again when this much is free.
const ENOUGH: u64 = 4 * RESERVE;
/// The limits of the log's length, in bytes: with much free space, and with none.
const LONGEST: u64 = 8 << 20;
const SHORTEST: u64 = 1 << 20;
/// One log may take this fraction of the free space: the services on one disk have a log each.
const SHARE: u64 = 32;

/// A database's files.
#[derive(Debug)]
pub(in crate::database) struct Disk {
    file: PathBuf,
    log: PathBuf,
    reserve: PathBuf,
    /// Device and inode of the file that was opened.
    identity: (u64, u64),
}

impl Disk {
    /// Returns the disk of a database that is open.
    pub(in crate::database) fn of(file: &Path) -> io::Result<Self> {
        let beside = |end: &str| PathBuf::from(format!("{}{end}", file.display()));
        let metadata = fs::metadata(file)?;
        Ok(Self {
            file: file.to_owned(),
            log: beside("-wal"),
            reserve: beside("-reserve"),
            identity: (metadata.dev(), metadata.ino()),
        })
    }

    /// Fails if the file at this path is not the one that was opened: what is written to a deleted file is lost with the process.
    pub(in crate::database) fn check(&self) -> io::Result<()> {
        match fs::metadata(&self.file) {
            Ok(metadata) if (metadata.dev(), metadata.ino()) == self.identity => Ok(()),
            Ok(_) => Err(self.moved("was replaced")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.moved("was deleted")),
            Err(error) => Err(error),
        }
    }

    fn moved(&self, how: &str) -> io::Error {
        let text = format!(
            "{} {how} while it was open; put it back and restart the service",
            self.file.display()
        );
        io::Error::new(io::ErrorKind::NotFound, text)
    }

    /// Size of the database file in bytes.
    pub(in crate::database) fn file_bytes(&self) -> u64 {
        bytes(&self.file)
    }

    /// Size of the write-ahead log in bytes.
    pub(in crate::database) fn log_bytes(&self) -> u64 {
        bytes(&self.log)
    }

    /// Bytes of the disk that are free to this process.
    pub(in crate::database) fn free_bytes(&self) -> io::Result<u64> {
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        let disk = statvfs(folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Returns how long the log may become before it is cut, in bytes.
    pub(in crate::database) fn longest_log(&self) -> u64 {
        self.free_bytes().map_or(LONGEST, |free| (free / SHARE).clamp(SHORTEST, LONGEST))
    }

    /// Whether there is neither a reserve nor room for one.
    pub(in crate::database) fn is_short(&self) -> bool {
        bytes(&self.reserve) < RESERVE && self.free_bytes().is_ok_and(|free| free < ENOUGH)
    }

    /// Writes the reserve file, if it does not exist and there is room for it.
    pub(in crate::database) fn keep_reserve(&self) {
        let room = || self.free_bytes().is_ok_and(|free| free >= ENOUGH);
        if bytes(&self.reserve) >= RESERVE || !room() {
            return;
        }
        // Written, and not only extended: a sparse file takes no space. If this fails, the next check tries again.
        let made = File::create(&self.reserve)
            .and_then(|mut file| file.write_all(&vec![0; RESERVE as usize]));
        made.ok();
    }

    /// Deletes the reserve file, so that its space can be used.
    pub(in crate::database) fn release_reserve(&self) {
        // The file may be gone already.
        fs::remove_file(&self.reserve).ok();
    }
}

fn bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
