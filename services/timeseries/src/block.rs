//! Rows of one target as columns: what was scraped, compressed by series.

use std::sync::Arc;

use crate::{
    codec::{self, ABSENT},
    cost,
};

/// What a target answered at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) at_ms: i64,
    /// The bits of the values by series; [`ABSENT`] if there is none. Series that came later are beyond the end.
    pub(crate) values: Arc<Vec<u64>>,
}

impl Row {
    pub(crate) fn get(&self, series: u32) -> u64 {
        self.values.get(series as usize).copied().unwrap_or(ABSENT)
    }

    pub(crate) fn samples(&self) -> u64 {
        self.values.iter().filter(|bits| **bits != ABSENT).count() as u64
    }

    pub(crate) fn bytes(&self) -> usize {
        cost::shared(size_of::<Vec<u64>>()) + cost::allocation(self.values.capacity() * 8)
    }
}

/// Some rows, compressed. It never changes.
#[derive(Debug)]
pub(crate) struct Block {
    /// The first and the last time.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// The number of rows.
    pub(crate) rows: u32,
    /// The number of samples.
    pub(crate) samples: u64,
    /// The times, as a column.
    pub(crate) times: Box<[u8]>,
    /// The series that have a sample, ascending. Most blocks of a target share them.
    pub(crate) series: Arc<[u32]>,
    /// Where the column of each of these series ends.
    pub(crate) ends: Box<[u32]>,
    /// The columns.
    pub(crate) bytes: Box<[u8]>,
}

impl Block {
    /// Compresses rows, of which there is at least one.
    pub(crate) fn of_rows(rows: &[Row], before: Option<&Self>) -> Self {
        let width = rows.iter().map(|row| row.values.len()).max().unwrap_or(0) as u32;
        let times: Vec<_> = rows.iter().map(|row| row.at_ms).collect();
        let mut builder = Builder::new(&times);
        let mut column = Vec::with_capacity(rows.len());
        for series in 0..width {
            column.clear();
            column.extend(rows.iter().map(|row| row.get(series)));
            builder.add(series, &column);
        }
        builder.build(before)
    }

    /// Puts several blocks, oldest first, together.
    pub(crate) fn merge(blocks: &[Arc<Self>], before: Option<&Self>) -> Self {
        let times: Vec<_> = blocks.iter().flat_map(|block| block.times()).collect();
        let mut series: Vec<_> =
            blocks.iter().flat_map(|block| block.series.iter().copied()).collect();
        series.sort_unstable();
        series.dedup();
        let mut builder = Builder::new(&times);
        let mut column = Vec::with_capacity(times.len());
        for series in series {
            column.clear();
            for block in blocks {
                block.read(series, &mut column);
            }
            builder.add(series, &column);
        }
        builder.build(before)
    }

    /// The times of the rows.
    pub(crate) fn times(&self) -> Vec<i64> {
        let mut times = Vec::with_capacity(self.rows as usize);
        // Blocks are made by `Builder` or checked by `is_valid`, so that they can be decoded.
        let _ = codec::decode(&self.times, self.rows as usize, &mut times);
        times.into_iter().map(|bits| f64::from_bits(bits) as i64).collect()
    }

    pub(crate) fn has(&self, series: u32) -> bool {
        self.series.binary_search(&series).is_ok()
    }

    /// Appends the values of a series, one a row, to `out`.
    pub(crate) fn read(&self, series: u32, out: &mut Vec<u64>) {
        let end = out.len() + self.rows as usize;
        if let Ok(place) = self.series.binary_search(&series) {
            let _ = codec::decode(self.column(place), self.rows as usize, out);
        }
        out.resize(end, ABSENT);
    }

    /// The series with their columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.series.iter().enumerate().map(|(place, series)| (*series, self.column(place)))
    }

    /// The block with other numbers for its series; those without a number are left out. The order stays.
    pub(crate) fn renumbered(&self, number: impl Fn(u32) -> Option<u32>) -> Self {
        let mut builder = Builder::new(&self.times());
        let mut column = Vec::new();
        for series in self.series.iter() {
            if let Some(number) = number(*series) {
                column.clear();
                self.read(*series, &mut column);
                builder.add(number, &column);
            }
        }
        builder.build(None)
    }

    /// The rows, as they came.
    pub(crate) fn to_rows(&self) -> Vec<Row> {
        let width = self.series.last().map_or(0, |last| *last as usize + 1);
        let mut rows: Vec<_> =
            (0..self.rows).map(|_| Vec::from_iter(std::iter::repeat_n(ABSENT, width))).collect();
        let mut column = Vec::new();
        for series in self.series.iter() {
            column.clear();
            self.read(*series, &mut column);
            for (row, bits) in rows.iter_mut().zip(&column) {
                row[*series as usize] = *bits;
            }
        }
        let row = |(at_ms, values)| Row { at_ms, values: Arc::new(values) };
        self.times().into_iter().zip(rows).map(row).collect()
    }

    fn column(&self, place: usize) -> &[u8] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.bytes[start as usize..self.ends[place] as usize]
    }

    /// Its bytes; shared lists of series count for every block.
    pub(crate) fn bytes(&self) -> usize {
        cost::shared(size_of::<Self>())
            + cost::allocation(self.times.len())
            + cost::shared(self.series.len() * 4)
            + cost::allocation(self.ends.len() * 4)
            + cost::allocation(self.bytes.len())
    }
}

/// Makes a block, column by column.
pub(crate) struct Builder {
    from_ms: i64,
    to_ms: i64,
    rows: u32,
    samples: u64,
    times: Vec<u8>,
    series: Vec<u32>,
    ends: Vec<u32>,
    columns: Vec<u8>,
}

impl Builder {
    pub(crate) fn new(times: &[i64]) -> Self {
        let (from_ms, to_ms) =
            (times.first().copied().unwrap_or(0), times.last().copied().unwrap_or(0));
        let bits: Vec<_> = times.iter().map(|at| (*at as f64).to_bits()).collect();
        let mut encoded = Vec::new();
        codec::encode(&bits, &mut encoded);
        Self {
            from_ms,
            to_ms,
            rows: times.len() as u32,
            samples: 0,
            times: encoded,
            series: Vec::new(),
            ends: Vec::new(),
            columns: Vec::new(),
        }
    }

    /// Adds the column of a series, whose number is greater than that of the last one.
    pub(crate) fn add(&mut self, series: u32, column: &[u64]) {
        let samples = column.iter().filter(|bits| **bits != ABSENT).count();
        if samples == 0 {
            return;
        }
        self.samples += samples as u64;
        codec::encode(column, &mut self.columns);
        self.series.push(series);
        self.ends.push(self.columns.len() as u32);
    }

    /// The block, which shares the list of series with the one before it if it is the same.
    pub(crate) fn build(self, before: Option<&Block>) -> Block {
        let series = match before {
            Some(before) if *before.series == *self.series => Arc::clone(&before.series),
            _ => self.series.into(),
        };
        Block {
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            rows: self.rows,
            samples: self.samples,
            times: self.times.into(),
            series,
            ends: self.ends.into(),
            bytes: self.columns.into(),
        }
    }
}
