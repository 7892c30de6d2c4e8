//! Reads a run. The file may be from anybody: sizes are limited, and nothing is written to disk under a name from the file.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use zip::{ZipArchive, result::ZipError};

use super::{Counts, Entry, FORMAT, MANIFEST, Manifest, VERSION};

/// The limits of a file: several times what a full lens exports.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Of the zip file.
    file: u64,
    entries: usize,
    /// Of one entry, decompressed.
    entry: u64,
    manifest: u64,
    snapshot: u64,
    /// Of one request: lens takes no larger one.
    line: u64,
}

const LIMITS: Limits = Limits {
    file: 512 << 20,
    entries: 64,
    entry: 4 << 30,
    manifest: 64 << 10,
    snapshot: 64 << 20,
    line: 8 << 20,
};

/// A zip file with a run.
#[derive(Debug)]
pub(crate) struct Reader {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    manifest: Manifest,
    limits: Limits,
}

impl Reader {
    /// Opens a file and reads its manifest.
    ///
    /// # Errors
    /// The file cannot be read, is no run, or exceeds a limit.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::open_within(path, LIMITS).with_context(|| format!("cannot read {}", path.display()))
    }

    fn open_within(path: &Path, limits: Limits) -> anyhow::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        ensure!(bytes <= limits.file, "it has {bytes} bytes; the limit is {}", limits.file);
        let mut zip = ZipArchive::new(BufReader::new(file)).context("it is no zip file")?;
        let entries = zip.len();
        ensure!(
            entries <= limits.entries,
            "it has {entries} entries; the limit is {}",
            limits.entries
        );
        let manifest = read_all(&mut zip, MANIFEST, limits.manifest)?
            .with_context(|| format!("it has no {MANIFEST}; `mesh export` writes one"))?;
        let manifest: Manifest = serde_json::from_slice(&manifest)
            .with_context(|| format!("{MANIFEST} is not that of a run"))?;
        ensure!(
            manifest.format == FORMAT && manifest.version <= VERSION,
            "{MANIFEST}: expected format {FORMAT:?} up to version {VERSION}, found {:?} version {}",
            manifest.format,
            manifest.version
        );
        for (field, time) in [("from", &manifest.from), ("to", &manifest.to)] {
            ensure!(
                humantime::parse_rfc3339(time).is_ok(),
                "{MANIFEST}: {field}: {time:?} is no time as 2026-01-02T03:04:05Z"
            );
        }
        Ok(Self { path: path.to_owned(), zip, manifest, limits })
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The metrics as lens keeps them; `None` if the file has none.
    pub(crate) fn snapshot(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let name = Entry::Snapshot.name();
        read_all(&mut self.zip, name, self.limits.snapshot)
            .with_context(|| format!("cannot read {}", self.path.display()))
    }

    /// Calls `each` with every line of an entry, counted in `counts`. An entry that is missing has none.
    pub(crate) async fn lines(
        &mut self,
        entry: Entry,
        counts: &mut Counts,
        mut each: impl AsyncFnMut(Vec<u8>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (name, limits) = (entry.name(), self.limits);
        let place = |number: u64| format!("{}: {name}, line {number}", self.path.display());
        let file = match self.zip.by_name(name) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("{}: {name}", self.path.display()));
            }
        };
        let mut input = BufReader::new(file.take(limits.entry + 1));
        let mut total = 0;
        for number in 1.. {
            let mut line = Vec::new();
            let read = (&mut input).take(limits.line + 1).read_until(b'\n', &mut line);
            let read = read.with_context(|| place(number))? as u64;
            total += read;
            if total > limits.entry {
                bail!(
                    "{}: {name} has more than {} bytes, decompressed",
                    self.path.display(),
                    limits.entry
                );
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if line.len() as u64 > limits.line {
                bail!("{}: it is longer than {} bytes", place(number), limits.line);
            }
            if read == 0 {
                return Ok(());
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            counts.add(entry, &line).with_context(|| place(number))?;
            each(line).await.with_context(|| place(number))?;
        }
        Ok(())
    }
}

/// The whole of an entry; `None` if there is none of this name.
fn read_all(
    zip: &mut ZipArchive<BufReader<File>>,
    name: &str,
    most: u64,
) -> anyhow::Result<Option<Vec<u8>>> {
    let file = match zip.by_name(name) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(error).with_context(|| name.to_owned()),
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).with_context(|| name.to_owned())?;
    ensure!(bytes.len() as u64 <= most, "{name} has more than {most} bytes, decompressed");
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests;
