//! The samples of one target: rows that came last as they are, older ones in compressed blocks.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    block::{Block, Row},
    codec::ABSENT,
};

/// So many rows are compressed together: with fewer, blocks would have more overhead than values; more would take memory.
const ROWS: usize = 16;

/// So many small blocks become one large block of 128 rows, which has an eighth of their overhead.
const BLOCKS: usize = 8;

/// The rows of a target, by time.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    large: VecDeque<Arc<Block>>,
    small: VecDeque<Arc<Block>>,
    open: Vec<Row>,
}

/// A copy of the rows that shares their memory, to read them without a lock.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) blocks: Vec<Arc<Block>>,
    pub(crate) rows: Vec<Row>,
}

impl Rows {
    /// The row that came last.
    pub(crate) fn last(&self) -> Option<&Row> {
        self.open.last()
    }

    /// The values of the row that came last, to add to them.
    pub(crate) fn last_mut(&mut self) -> Option<&mut Vec<u64>> {
        self.open.last_mut().map(|row| Arc::make_mut(&mut row.values))
    }

    /// Rows from blocks, oldest first.
    pub(crate) fn from_blocks(mut blocks: Vec<Block>) -> Self {
        let mut rows = Self::default();
        // The last row must be at hand to find series that are missing in the next one.
        if let Some(last) = blocks.pop_if(|last| last.rows as usize <= ROWS) {
            rows.open = last.to_rows();
        }
        let is_small = |block: &Block| block.rows as usize <= ROWS;
        let large = blocks.iter().rposition(|block| !is_small(block)).map_or(0, |last| last + 1);
        rows.small = blocks.split_off(large).into_iter().map(Arc::new).collect();
        rows.large = blocks.into_iter().map(Arc::new).collect();
        rows
    }

    /// The time of the last row.
    pub(crate) fn last_ms(&self) -> Option<i64> {
        let block = self.small.back().or(self.large.back()).map(|block| block.to_ms);
        self.open.last().map(|row| row.at_ms).or(block)
    }

    /// Adds a row, which is newer than the last one.
    pub(crate) fn push(&mut self, row: Row) {
        if self.open.len() >= ROWS {
            let before = self.small.back().or(self.large.back());
            let block = Block::of_rows(&self.open, before.map(|block| &**block));
            self.open.clear();
            self.push_block(Arc::new(block));
        }
        self.open.push(row);
    }

    fn push_block(&mut self, block: Arc<Block>) {
        self.small.push_back(block);
        if self.small.len() >= BLOCKS {
            let before = self.large.back().map(|block| &**block);
            let block = Block::merge(self.small.make_contiguous(), before);
            self.small.clear();
            self.large.push_back(Arc::new(block));
        }
    }

    /// The time of the first row that is still there.
    pub(crate) fn first_ms(&self) -> Option<i64> {
        let block = self.blocks().next().map(|block| block.from_ms);
        block.or_else(|| self.open.first().map(|row| row.at_ms))
    }

    /// The time of the first row of the oldest block.
    pub(crate) fn oldest_block_ms(&self) -> Option<i64> {
        self.blocks().next().map(|block| block.from_ms)
    }

    /// Removes the oldest block; returns its number of samples.
    pub(crate) fn pop_block(&mut self) -> u64 {
        let block = self.large.pop_front().or_else(|| self.small.pop_front());
        block.map_or(0, |block| block.samples)
    }

    /// Removes blocks that ended before a moment, or all rows if all did.
    pub(crate) fn expire(&mut self, before_ms: i64) {
        if self.last_ms().is_none_or(|last_ms| last_ms < before_ms) {
            *self = Self::default();
        }
        while self.blocks().next().is_some_and(|block| block.to_ms < before_ms) {
            self.pop_block();
        }
    }

    fn blocks(&self) -> impl Iterator<Item = &Arc<Block>> {
        self.large.iter().chain(&self.small)
    }

    /// The rows within the time; blocks may reach beyond it.
    pub(crate) fn view(&self, from_ms: i64, to_ms: i64) -> View {
        let blocks = self.blocks().filter(|block| block.from_ms <= to_ms && block.to_ms >= from_ms);
        let rows = self.open.iter().filter(|row| (from_ms..=to_ms).contains(&row.at_ms));
        View { blocks: blocks.cloned().collect(), rows: rows.cloned().collect() }
    }

    /// The number of samples.
    pub(crate) fn samples(&self) -> u64 {
        self.blocks().map(|block| block.samples).sum::<u64>()
            + self.open.iter().map(Row::samples).sum::<u64>()
    }

    /// The bytes of all rows.
    pub(crate) fn bytes(&self) -> usize {
        self.blocks().map(|block| block.bytes()).sum::<usize>()
            + self.open.iter().map(Row::bytes).sum::<usize>()
    }
}

impl View {
    /// The times of all rows, as often needed as there are series.
    pub(crate) fn times(&self) -> Vec<i64> {
        let blocks = self.blocks.iter().flat_map(|block| block.times());
        blocks.chain(self.rows.iter().map(|row| row.at_ms)).collect()
    }

    /// Appends the values of a series to `out`, one for each of the [`times`](Self::times).
    pub(crate) fn read(&self, series: u32, out: &mut Vec<u64>) {
        for block in &self.blocks {
            block.read(series, out);
        }
        out.extend(self.rows.iter().map(|row| row.get(series)));
    }

    /// Whether a series has a sample.
    pub(crate) fn has(&self, series: u32) -> bool {
        self.blocks.iter().any(|block| block.has(series))
            || self.rows.iter().any(|row| row.get(series) != ABSENT)
    }
}
