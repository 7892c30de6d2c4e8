//! The form of a kept file: a line that says what it is, then parts with a checksum each, then an end.
//!
//! A part is its kind (a byte), its length and the CRC-32C of its contents (four bytes each, low ones first), and its contents. A
//! file without an end was cut short.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The kind of the last part.
const END: u8 = 0;

/// The bytes of a part before its contents.
const HEAD: usize = 9;

/// A part as it is in a file.
fn head_of(kind: u8, contents: &[u8]) -> io::Result<[u8; HEAD]> {
    let length = u32::try_from(contents.len())
        .map_err(|_| io::Error::new(ErrorKind::InvalidInput, "a part of 4 GiB or more"))?;
    let [a, b, c, d] = length.to_le_bytes();
    let [e, f, g, h] = crc32c::crc32c(contents).to_le_bytes();
    Ok([kind, a, b, c, d, e, f, g, h])
}

/// A whole file with one part.
pub(super) fn of_one_part(what: &str, kind: u8, contents: &[u8]) -> io::Result<Vec<u8>> {
    let ends = [head_of(kind, contents)?, head_of(END, &[])?];
    Ok([what.as_bytes(), &ends[0], contents, &ends[1]].concat())
}

/// A file that is being written. It replaces the one before in one step, once it is complete.
pub(super) struct Writer {
    out: BufWriter<File>,
    path: PathBuf,
    temporary: PathBuf,
    bytes: usize,
}

impl Writer {
    /// Begins a file; only this user may read it, since log lines and attributes may have names and addresses of people.
    pub(super) fn create(path: &Path, what: &str) -> io::Result<Self> {
        let temporary = path.with_extension("new");
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let mut out = BufWriter::new(file);
        out.write_all(what.as_bytes())?;
        Ok(Self { out, path: path.to_owned(), temporary, bytes: what.len() })
    }

    pub(super) fn part(&mut self, kind: u8, contents: &[u8]) -> io::Result<()> {
        self.out.write_all(&head_of(kind, contents)?)?;
        self.out.write_all(contents)?;
        self.bytes += HEAD + contents.len();
        Ok(())
    }

    /// Completes the file and puts it in its place; returns its size.
    pub(super) fn finish(mut self) -> io::Result<usize> {
        self.part(END, &[])?;
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        Ok(self.bytes)
    }
}

/// Why a file cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("it is not a file of this version of lens: it does not begin with {0:?}")]
    Version(String),
    #[error("it is damaged: it ends within a part")]
    CutShort,
    #[error("it is damaged: the checksum of a part is wrong")]
    Checksum,
    #[error("it is damaged: a part of unknown kind {0}")]
    Kind(u8),
    #[error("it has {bytes} bytes, more than the {most} of `keep.size`")]
    Large { bytes: u64, most: u64 },
    #[error("the metrics in it: {0}")]
    Metrics(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Calls `each` for all parts of a file. A file that does not exist has none. Parts before a damaged one have been passed on.
pub(super) fn read(
    path: &Path,
    what: &str,
    most: usize,
    mut each: impl FnMut(u8, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let (bytes, most) = (file.metadata()?.len(), most as u64);
    if bytes > most {
        return Err(Error::Large { bytes, most });
    }
    let mut input = BufReader::new(file);
    let mut begin = vec![0; what.len()];
    if input.read_exact(&mut begin).is_err() || begin != what.as_bytes() {
        return Err(Error::Version(what.trim_end().to_owned()));
    }
    let mut contents = Vec::new();
    loop {
        let mut head = [0; HEAD];
        input.read_exact(&mut head).map_err(cut_short)?;
        let [kind, a, b, c, d, checksum @ ..] = head;
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        contents.clear();
        // The length is not reserved: it may be damaged.
        if (&mut input).take(length).read_to_end(&mut contents)? as u64 != length {
            return Err(Error::CutShort);
        }
        if crc32c::crc32c(&contents) != u32::from_le_bytes(checksum) {
            return Err(Error::Checksum);
        }
        match kind {
            END => return Ok(()),
            kind => each(kind, &contents)?,
        }
    }
}

fn cut_short(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => Error::CutShort,
        _ => Error::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHAT: &str = "a test, version 1\n";

    type Parts = Vec<(u8, Vec<u8>)>;

    fn parts(path: &Path) -> (Parts, Result<(), Error>) {
        let mut all = Vec::new();
        let result = read(path, WHAT, 1_000, |kind, contents| {
            all.push((kind, contents.to_vec()));
            Ok(())
        });
        (all, result)
    }

    fn written(path: &Path) -> Vec<u8> {
        let mut writer = Writer::create(path, WHAT).unwrap();
        writer.part(1, b"tea").unwrap();
        writer.part(2, b"").unwrap();
        assert!(!path.exists(), "an incomplete file is not in its place");
        assert_eq!(writer.finish().unwrap() as u64, fs::metadata(path).unwrap().len());
        fs::read(path).unwrap()
    }

    #[test]
    fn parts_come_back_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        assert!(matches!(parts(&path), (all, Ok(())) if all.is_empty()));
        written(&path);
        let (all, result) = parts(&path);
        result.unwrap();
        assert_eq!(all, [(1, b"tea".to_vec()), (2, Vec::new())]);
    }

    /// Every prefix of a file, and every file with one wrong byte, is an error and no panic.
    #[test]
    fn a_damaged_file_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        let whole = written(&path);
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(parts(&path).1.is_err(), "{length} bytes");
        }
        for place in 0..whole.len() {
            let mut wrong = whole.clone();
            wrong[place] ^= 0x40;
            fs::write(&path, &wrong).unwrap();
            let (all, result) = parts(&path);
            // The kind of a part has no checksum; its reader knows which kinds there are.
            assert!(result.is_err() || all.iter().any(|(kind, _)| *kind > 2), "byte {place}");
        }
        fs::write(&path, vec![b'x'; 1_001]).unwrap();
        assert!(parts(&path).1.unwrap_err().to_string().contains("1001 bytes, more than the 1000"));
    }
}
