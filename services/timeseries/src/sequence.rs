//! The lines of a target's last answer. The next answer nearly always has the same series in the same order, so that their labels need
//! not be parsed again.

use crate::hash;

/// The beginning of a line, up to its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    hash: u64,
    length: u32,
    what: What,
    /// The label whose values are numbers: a series is not the same after another `# TYPE`.
    bounds: Bounds,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A sample of this series.
    Series(u32),
    /// The type of the metric that follows.
    Type(Bounds),
    /// Another comment.
    Comment,
}

/// The label of a metric's type whose values are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// Those of a histogram's buckets.
    Le,
    /// Those of a summary.
    Quantile,
    None,
}

/// So many lines may be missing before the rest of an answer is parsed anew.
const REACH: usize = 256;

impl Entry {
    pub(crate) fn new(text: &str, what: What, bounds: Bounds) -> Self {
        Self { hash: hash::of(text.as_bytes()), length: text.len() as u32, what, bounds }
    }

    /// What follows the beginning, if the text has it and a separator after it.
    fn strip<'a>(&self, text: &'a str) -> Option<&'a str> {
        let length = self.length as usize;
        let separator = *text.as_bytes().get(length)?;
        let fits = match self.what {
            What::Series(_) => separator == b' ',
            What::Type(_) | What::Comment => separator == b'\n',
        };
        (fits && hash::of(&text.as_bytes()[..length]) == self.hash).then(|| &text[length..])
    }

    fn is_of_same_line(&self, other: &Self) -> bool {
        self.hash == other.hash && self.length == other.length && self.bounds == other.bounds
    }
}

/// Goes through the last answer's lines in step with the lines of a new answer.
pub(crate) struct Cursor {
    last: Vec<Entry>,
    next: usize,
    /// The new answer's lines, from the first difference on.
    changed: Option<Vec<Entry>>,
}

impl Cursor {
    pub(crate) fn new(last: Vec<Entry>) -> Self {
        Self { last, next: 0, changed: None }
    }

    /// What the next line is and what follows its beginning, if it is the line that is expected.
    pub(crate) fn strip<'t>(&mut self, text: &'t str, bounds: Bounds) -> Option<(What, &'t str)> {
        let entry = *self.last.get(self.next)?;
        if entry.bounds != bounds {
            return None;
        }
        let rest = entry.strip(text)?;
        self.next += 1;
        if let Some(changed) = &mut self.changed {
            changed.push(entry);
        }
        Some((entry.what, rest))
    }

    /// Takes a line that is not the expected one. Lines that are to be parsed again in the next answer are left out.
    pub(crate) fn add(&mut self, entry: Entry) {
        let (seen, expected) = self.last.split_at(self.next);
        self.changed.get_or_insert_with(|| seen.to_vec()).push(entry);
        let mut reach = expected.iter().take(REACH);
        if let Some(skipped) = reach.position(|known| known.is_of_same_line(&entry)) {
            self.next += skipped + 1;
        }
    }

    /// The new answer's lines.
    pub(crate) fn finish(mut self) -> Vec<Entry> {
        self.last.truncate(self.next);
        let mut lines = self.changed.unwrap_or(self.last);
        lines.shrink_to_fit();
        lines
    }
}
