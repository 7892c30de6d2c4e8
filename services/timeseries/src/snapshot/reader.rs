//! Reads a snapshot, which may be damaged or made to harm: every length is compared with the bytes that are there.

use promql::{Labels, Sample};

use super::{HEAD, SavedTarget, Snapshot, SnapshotError};
use crate::{
    block::{Block, Builder},
    codec::{self, take_number},
    exemplars::Exemplar,
    hash,
    target::Key,
};

/// The maximum of rows of a block: a few bytes can stand for many rows.
const ROWS: u64 = 1_024;

type Result<T> = std::result::Result<T, SnapshotError>;

/// Reads a snapshot.
pub(crate) fn read(bytes: &[u8]) -> Result<Snapshot> {
    let rest = bytes.strip_prefix(HEAD).ok_or_else(|| {
        let head = String::from_utf8_lossy(HEAD);
        SnapshotError(format!("it does not begin with {:?}", head.trim_end()))
    })?;
    let (body, checksum) =
        rest.split_last_chunk::<8>().ok_or_else(|| damaged("its checksum is missing"))?;
    if hash::of(&bytes[..HEAD.len() + body.len()]) != u64::from_le_bytes(*checksum) {
        return Err(damaged("its checksum is wrong"));
    }
    let mut reader = Reader { rest: body, texts: Vec::new() };
    reader.texts = reader.many(Reader::new_text)?;
    let targets = reader.many(Reader::target)?;
    let exemplars = reader.many(Reader::exemplar)?;
    if !reader.rest.is_empty() {
        return Err(damaged("it is longer than its content"));
    }
    Ok(Snapshot { targets, exemplars })
}

fn damaged(what: &str) -> SnapshotError {
    SnapshotError(what.to_owned())
}

struct Reader<'a> {
    rest: &'a [u8],
    texts: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn number(&mut self) -> Result<u64> {
        take_number(&mut self.rest).ok_or_else(|| damaged("a number is cut off"))
    }

    fn small(&mut self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| damaged("a number is too great"))
    }

    /// As many items as the number that comes first; each has at least one byte.
    fn many<T>(&mut self, item: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.number()?;
        if count > self.rest.len() as u64 {
            return Err(damaged("a list is cut off"));
        }
        (0..count).map(|_| item(self)).collect()
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.number()?;
        let split = usize::try_from(length).ok().and_then(|at| self.rest.split_at_checked(at));
        let (bytes, rest) = split.ok_or_else(|| damaged("bytes are cut off"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn new_text(&mut self) -> Result<&'a str> {
        str::from_utf8(self.bytes()?).map_err(|_| damaged("a text is no UTF-8"))
    }

    fn text(&mut self) -> Result<&'a str> {
        let place = self.number()?;
        let text = usize::try_from(place).ok().and_then(|place| self.texts.get(place));
        text.copied().ok_or_else(|| damaged("a text is missing"))
    }

    fn labels(&mut self) -> Result<Labels> {
        let pairs = self.many(|reader| Ok((reader.text()?.into(), reader.text()?.into())))?;
        Ok(Labels::new(pairs))
    }

    fn target(&mut self) -> Result<SavedTarget> {
        let key = match self.number()? {
            0 => Key::Target(self.labels()?),
            1 => Key::Rules(self.text()?.to_owned()),
            _ => return Err(damaged("a target is of an unknown kind")),
        };
        let series = self.many(|reader| Ok((reader.small()?, reader.labels()?)))?;
        if !series.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(damaged("series are out of order"));
        }
        let blocks = self.many(Self::block)?;
        if !blocks.is_sorted_by(|a, b| a.to_ms < b.from_ms) {
            return Err(damaged("blocks are out of order"));
        }
        let described = self.many(|reader| {
            let mut text = || reader.text().map(str::to_owned);
            Ok((text()?, text()?, text()?, text()?))
        })?;
        Ok(SavedTarget { key, series, blocks, described })
    }

    fn block(&mut self) -> Result<Block> {
        let rows = self.number()?;
        if rows == 0 || rows > ROWS {
            return Err(SnapshotError(format!("a block has {rows} rows, not 1 to {ROWS}")));
        }
        let rows = rows as usize;
        let column = |bytes: &[u8]| {
            let mut values = Vec::new();
            let decoded = codec::decode(bytes, rows, &mut values);
            decoded.map(|()| values).ok_or_else(|| damaged("a column is damaged"))
        };
        let times = column(self.bytes()?)?;
        let times: Vec<_> = times.iter().map(|bits| f64::from_bits(*bits) as i64).collect();
        if !times.is_sorted_by(|a, b| a < b) {
            return Err(damaged("rows are out of order"));
        }
        let columns = self.many(|reader| Ok((reader.small()?, reader.bytes()?)))?;
        if !columns.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(damaged("columns are out of order"));
        }
        let mut builder = Builder::new(&times);
        for (series, bytes) in columns {
            builder.add(series, &column(bytes)?);
        }
        Ok(builder.build(None))
    }

    fn exemplar(&mut self) -> Result<Exemplar> {
        let series = self.labels()?;
        let sample = Sample { at_ms: self.number()? as i64, value: f64::from_bits(self.number()?) };
        let labels = self.labels()?;
        let labels = labels.iter().map(|(name, value)| (&**name, &**value));
        Ok(Exemplar::new(series, sample, labels))
    }
}
