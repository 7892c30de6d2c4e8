//! The exemplars of all series, in a ring that is bounded in bytes.

use std::collections::VecDeque;

use promql::{Labels, Sample};

use crate::{
    codec::{put_number, take_number},
    cost,
};

/// The maximum of characters in the labels of an exemplar, as in OpenMetrics.
pub(crate) const CHARACTERS: usize = 128;

/// One exemplar.
#[derive(Debug)]
pub(crate) struct Exemplar {
    /// The labels of the series.
    pub(crate) series: Labels,
    /// The observed value, and when.
    pub(crate) sample: Sample,
    /// Names and values, each after its length: most exemplars have a trace id that no other has.
    labels: Box<[u8]>,
}

impl Exemplar {
    pub(crate) fn new<'a>(
        series: Labels,
        sample: Sample,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut bytes = Vec::new();
        for text in labels.flat_map(|(name, value)| [name, value]) {
            put_number(text.len() as u64, &mut bytes);
            bytes.extend_from_slice(text.as_bytes());
        }
        Self { series, sample, labels: bytes.into() }
    }

    /// Its own labels.
    pub(crate) fn labels(&self) -> Labels {
        let mut bytes = &*self.labels;
        let mut text = || -> Option<&str> {
            let length = usize::try_from(take_number(&mut bytes)?).ok()?;
            let (text, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            std::str::from_utf8(text).ok()
        };
        let mut pairs = Vec::new();
        while let (Some(name), Some(value)) = (text(), text()) {
            pairs.push((name.into(), value.into()));
        }
        Labels::new(pairs)
    }

    fn bytes(&self) -> usize {
        cost::allocation(self.labels.len())
    }
}

/// The exemplars, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Exemplars {
    ring: VecDeque<Exemplar>,
    /// The bytes of their labels.
    bytes: usize,
    limit: usize,
}

impl Exemplars {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Adds an exemplar; the oldest ones go if there is no room.
    pub(crate) fn add(&mut self, exemplar: Exemplar) {
        let needed = exemplar.bytes() + size_of::<Exemplar>();
        while !self.ring.is_empty()
            && self.bytes + self.ring.len() * size_of::<Exemplar>() + needed > self.limit
        {
            self.pop();
        }
        if needed <= self.limit {
            if self.ring.len() == self.ring.capacity() {
                // Less than the doubling of `push_back`, so that little of the memory is unused.
                self.ring.reserve_exact(self.ring.len() / 4 + 16);
            }
            self.bytes += exemplar.bytes();
            self.ring.push_back(exemplar);
        }
    }

    fn pop(&mut self) {
        self.bytes -= self.ring.pop_front().map_or(0, |exemplar| exemplar.bytes());
    }

    /// Removes exemplars that are older than a moment.
    pub(crate) fn expire(&mut self, before_ms: i64) {
        while self.ring.front().is_some_and(|exemplar| exemplar.sample.at_ms < before_ms) {
            self.pop();
        }
        if self.ring.is_empty() {
            self.ring.shrink_to_fit();
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Exemplar> {
        self.ring.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    /// The bytes that they use.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + cost::allocation(self.ring.capacity() * size_of::<Exemplar>())
    }
}
