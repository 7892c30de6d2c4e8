//! The disk that a database is on: what is left of it, a reserve for when nothing is, and whether the file is still there.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::statvfs;

/// What a full disk is given back, so that the write-ahead log can be moved into the file, which then frees more than this.
const RESERVE: u64 = 1 << 20;
/// The reserve is made again when so much is free.
const ENOUGH: u64 = 4 * RESERVE;
/// Longest log at a time when there is much room, and when there is none.
const LONGEST: u64 = 8 << 20;
const SHORTEST: u64 = 1 << 20;
/// The logs of all services on one disk together have a part of what is free.
const SHARE: u64 = 32;

/// A database's files.
#[derive(Debug)]
pub(in crate::database) struct Disk {
    file: PathBuf,
    log: PathBuf,
    reserve: PathBuf,
    /// Device and number of the file that was opened.
    identity: (u64, u64),
}

impl Disk {
    /// The disk of a database that is open.
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

    /// Refuses a file that is not the one that was opened: what is written to that is lost with the process.
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

    /// Bytes of the file.
    pub(in crate::database) fn file_bytes(&self) -> u64 {
        bytes(&self.file)
    }

    /// Bytes of the write-ahead log.
    pub(in crate::database) fn log_bytes(&self) -> u64 {
        bytes(&self.log)
    }

    /// Bytes that are free to this process.
    pub(in crate::database) fn free_bytes(&self) -> io::Result<u64> {
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        let disk = statvfs(folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// How long the log may become before it is cut.
    pub(in crate::database) fn longest_log(&self) -> u64 {
        self.free_bytes().map_or(LONGEST, |free| (free / SHARE).clamp(SHORTEST, LONGEST))
    }

    /// Whether there is no reserve, and no room for one.
    pub(in crate::database) fn is_short(&self) -> bool {
        bytes(&self.reserve) < RESERVE && self.free_bytes().is_ok_and(|free| free < ENOUGH)
    }

    /// Makes the reserve if it is not there and there is room for it.
    pub(in crate::database) fn keep_reserve(&self) {
        let room = || self.free_bytes().is_ok_and(|free| free >= ENOUGH);
        if bytes(&self.reserve) >= RESERVE || !room() {
            return;
        }
        // Written, not only made longer: a hole has no room. If it fails, the next look tries again.
        let made = File::create(&self.reserve)
            .and_then(|mut file| file.write_all(&vec![0; RESERVE as usize]));
        made.ok();
    }

    /// Gives the reserve to those who need it now.
    pub(in crate::database) fn release_reserve(&self) {
        // It may be gone already.
        fs::remove_file(&self.reserve).ok();
    }
}

fn bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
