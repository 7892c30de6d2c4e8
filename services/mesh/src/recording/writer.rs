//! Writes a run.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{Counts, Entry, MANIFEST, Manifest};

/// JSON of telemetry shrinks to a twentieth already at a low level; a higher one takes twice the time for a fifth less.
const LEVEL: i64 = 3;

/// A longer line is not written by lens.
const LONGEST_LINE: usize = 64 << 20;

/// A zip file that is being written. It gets its name when it is complete.
pub(crate) struct Writer {
    zip: ZipWriter<BufWriter<File>>,
    path: PathBuf,
    temporary: Temporary,
    counts: Counts,
}

/// The unfinished file; removed when dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a success it has another name.
        fs::remove_file(&self.0).ok();
    }
}

impl Writer {
    /// Begins a file.
    ///
    /// # Errors
    /// The file exists, or cannot be written.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        ensure!(
            !path.exists(),
            "{} exists already: name another file, or remove it",
            path.display()
        );
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let temporary = PathBuf::from(name);
        let file = File::create(&temporary)
            .with_context(|| format!("cannot write {}", temporary.display()))?;
        Ok(Self {
            zip: ZipWriter::new(BufWriter::new(file)),
            path: path.to_owned(),
            temporary: Temporary(temporary),
            counts: Counts::default(),
        })
    }

    /// Begins an entry; what is written next belongs to it.
    pub(crate) fn begin(&mut self, entry: Entry) -> anyhow::Result<EntryWriter<'_>> {
        self.start(entry.name())?;
        Ok(EntryWriter { writer: self, entry, line: Vec::new() })
    }

    fn start(&mut self, name: &str) -> anyhow::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .large_file(true);
        self.zip.start_file(name, options).with_context(|| self.cannot_write())
    }

    fn cannot_write(&self) -> String {
        format!("cannot write {}", self.path.display())
    }

    /// Writes the manifest, and gives the file its name; returns the manifest.
    pub(crate) fn finish(mut self, now_ns: u64) -> anyhow::Result<Manifest> {
        let manifest = Manifest::new(&self.counts, now_ns);
        self.start(MANIFEST)?;
        let cannot_write = self.cannot_write();
        let Self { mut zip, path, temporary, .. } = self;
        let write = || -> anyhow::Result<()> {
            zip.write_all(&serde_json::to_vec_pretty(&manifest)?)?;
            let file = zip.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.sync_all()?;
            fs::rename(&temporary.0, &path)?;
            Ok(())
        };
        write().with_context(|| cannot_write)?;
        Ok(manifest)
    }
}

/// Writes one entry.
pub(crate) struct EntryWriter<'a> {
    writer: &'a mut Writer,
    entry: Entry,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
}

impl EntryWriter<'_> {
    /// Adds bytes, which may end anywhere in a line.
    ///
    /// # Errors
    /// A line is not what the entry has, or the file cannot be written.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> anyhow::Result<()> {
        self.writer.zip.write_all(bytes).with_context(|| self.writer.cannot_write())?;
        if self.entry == Entry::Snapshot {
            return Ok(());
        }
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            self.count()?;
            bytes = &bytes[end + 1..];
        }
        self.line.extend_from_slice(bytes);
        ensure!(
            self.line.len() <= LONGEST_LINE,
            "lens sent a line of more than {LONGEST_LINE} bytes"
        );
        Ok(())
    }

    fn count(&mut self) -> anyhow::Result<()> {
        let counted = self.writer.counts.add(self.entry, &self.line);
        self.line.clear();
        counted.with_context(|| format!("lens sent a line of {} that is wrong", self.entry.name()))
    }

    /// # Errors
    /// The last line has no end: the answer was cut off.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        ensure!(
            self.line.is_empty(),
            "the answer of lens was cut off in a line of {}",
            self.entry.name()
        );
        Ok(())
    }
}
