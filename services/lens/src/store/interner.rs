//! The dictionary: byte strings that occur in many traces are stored once and identified by a number.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use crate::cost;

/// The maximum of values that are remembered as seen once: 4,096 cover some hundred traces, which is enough to notice a value
/// that comes back, and take 64 KiB. A dictionary that is not several times as large does without.
const SEEN: usize = 4_096;

/// Longer values, such as statements and stack traces, are seldom worth sharing.
const LONGEST: usize = 256;

/// The form of a byte string in a record.
pub(super) enum Interned<'a> {
    /// The number of a dictionary entry.
    Symbol(u32),
    /// The bytes themselves: they are not in the dictionary, or it has no room.
    Inline(&'a [u8]),
}

/// A dictionary that only grows, up to its limit. At the limit, new strings are stored in the records: that takes memory, which
/// is accounted for, but loses no data.
pub(super) struct Interner {
    symbols: HashMap<Arc<[u8]>, u32>,
    strings: Vec<Arc<[u8]>>,
    text_bytes: usize,
    limit: usize,
    hasher: RandomState,
    /// For each slot, the hash of a value and the trace in which it was last seen.
    seen: Box<[(u64, u64)]>,
}

impl Interner {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            symbols: HashMap::new(),
            strings: Vec::new(),
            text_bytes: 0,
            limit,
            hasher: RandomState::new(),
            seen: Box::default(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        cost::table::<(Arc<[u8]>, u32)>(self.symbols.capacity())
            + self.strings.capacity() * size_of::<Arc<[u8]>>()
            + self.seen.len() * size_of::<(u64, u64)>()
            + self.text_bytes
    }

    /// The bytes of all strings.
    pub(super) fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// The strings from number `first` on.
    pub(super) fn strings_from(&self, first: usize) -> &[Arc<[u8]>] {
        self.strings.get(first..).unwrap_or_default()
    }

    /// Adds a string for [`Interner::resolve`] alone.
    pub(super) fn push(&mut self, string: &[u8]) {
        self.strings.push(string.into());
    }

    pub(super) fn resolve(&self, symbol: u32) -> &[u8] {
        self.strings.get(symbol as usize).map_or(&[], |string| string)
    }

    /// The string for a string that has few values by its nature: keys, names of services and operations, resources.
    pub(super) fn name<'a>(&mut self, bytes: &'a [u8]) -> Interned<'a> {
        if let Some(symbol) = self.symbols.get(bytes) {
            return Interned::Symbol(*symbol);
        }
        self.add(bytes)
    }

    /// The string for a value: shared once it was seen in a second trace, so that ids, which never are, do not fill the dictionary.
    pub(super) fn value<'a>(&mut self, bytes: &'a [u8], trace: u64) -> Interned<'a> {
        if bytes.len() < 2
            || bytes.len() > LONGEST
            || self.limit < 4 * SEEN * size_of::<(u64, u64)>()
        {
            return Interned::Inline(bytes);
        }
        if let Some(symbol) = self.symbols.get(bytes) {
            return Interned::Symbol(*symbol);
        }
        if self.seen.is_empty() {
            self.seen = vec![(0, 0); SEEN].into_boxed_slice();
        }
        let hash = self.hasher.hash_one(bytes);
        let slot = &mut self.seen[hash as usize % SEEN];
        if slot.0 == hash && slot.1 != trace {
            return self.add(bytes);
        }
        *slot = (hash, trace);
        Interned::Inline(bytes)
    }

    fn add<'a>(&mut self, bytes: &'a [u8]) -> Interned<'a> {
        // Doubled, because both tables double when they grow.
        if self.bytes() * 2 + bytes.len() > self.limit {
            return Interned::Inline(bytes);
        }
        let symbol = self.strings.len() as u32;
        let string: Arc<[u8]> = bytes.into();
        self.symbols.insert(Arc::clone(&string), symbol);
        self.strings.push(string);
        self.text_bytes += cost::allocation(bytes.len() + 2 * size_of::<usize>());
        Interned::Symbol(symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_shared(string: &Interned<'_>) -> bool {
        matches!(string, Interned::Symbol(_))
    }

    #[test]
    fn a_value_is_shared_from_the_second_trace_it_occurs_in() {
        let mut strings = Interner::new(1 << 20);
        for _ in 0..3 {
            assert!(!is_shared(&strings.value(b"order-17", 1)), "an id that only one trace has");
        }
        assert!(!is_shared(&strings.value(b"orders.events", 1)));
        assert!(is_shared(&strings.value(b"orders.events", 2)));
        assert!(is_shared(&strings.value(b"orders.events", 1)));
    }

    #[test]
    fn a_full_dictionary_leaves_words_where_they_occur() {
        let mut strings = Interner::new(8_192);
        let shared =
            (0..1_000).filter(|n: &i32| is_shared(&strings.name(n.to_string().as_bytes()))).count();
        assert!((20..200).contains(&shared), "{shared}");
        assert!(strings.bytes() <= 8_192);
        assert!(is_shared(&strings.name(b"0")), "what is in it stays in it");
    }
}
