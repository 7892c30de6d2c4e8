//! Reads what a target answered into a row.

use std::borrow::Cow;

use promql::{Labels, METRIC_NAME, Sample};

use crate::{
    budget::Budget,
    codec::ABSENT,
    exemplars::{CHARACTERS, Exemplar},
    exposition::{self, Comment, Expected, Format},
    hash,
    sequence::{Bounds, Cursor, Entry, What},
    series::pairs,
    target::{Target, put},
};

/// So much of an invalid line is quoted.
const QUOTED: usize = 120;

/// A description of a metric is cut off after so many bytes.
const HELP_BYTES: usize = 512;

/// The result of storing one answer of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scraped {
    /// The samples in the answer.
    pub samples: u64,
    /// Series that were not known before.
    pub added: u64,
    /// Samples that were refused; [`Refused`](crate::Refused) counts them by reason.
    pub refused: u64,
}

/// Why an answer is not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScrapeError {
    /// It is neither Prometheus text nor OpenMetrics.
    #[error("line {line}: expected {expected}: {text}")]
    Malformed {
        /// The number of the line, from one on.
        line: usize,
        /// What the line should have had.
        expected: &'static str,
        /// The beginning of the line.
        text: String,
    },
    /// The target has samples of this time or of a later one.
    #[error("the time is not after that of the last scrape")]
    Order,
    /// There are too many targets.
    #[error("there are {0} targets already")]
    Targets(usize),
}

/// Reads an answer into a row, and counts what it has. If it is malformed, it is counted up to that line, and the target keeps no
/// trace of it, except for descriptions.
pub(crate) fn read(
    target: &mut Target,
    budget: &Budget,
    text: &str,
    at_ms: i64,
) -> (Scraped, Result<Vec<u64>, ScrapeError>) {
    let row = vec![ABSENT; target.series.width()];
    let mut reader = Reader {
        budget,
        format: Format::of(text),
        bounds: Bounds::None,
        row,
        scraped: Scraped::default(),
        exemplars: Vec::new(),
        cursor: Cursor::new(std::mem::take(&mut target.sequence)),
        target,
    };
    let result = reader.lines(text);
    let Reader { row, scraped, exemplars, cursor, .. } = reader;
    if let Err(error) = result {
        budget.refused.malformed();
        target.remove_empty_series(budget);
        return (scraped, Err(error));
    }
    target.sequence = cursor.finish();
    for new in exemplars {
        add_exemplar(target, budget, &new, at_ms);
    }
    (scraped, Ok(row))
}

/// A label with its target's name for it.
type Label<'a> = (Cow<'a, str>, Cow<'a, str>);

/// An exemplar that is not the last one of its series.
struct NewExemplar<'t> {
    series: u32,
    hash: u64,
    exemplar: exposition::Exemplar<'t>,
}

struct Reader<'a, 't> {
    target: &'a mut Target,
    budget: &'a Budget,
    format: Format,
    /// The label of the present metric whose values are numbers.
    bounds: Bounds,
    row: Vec<u64>,
    scraped: Scraped,
    /// The exemplars, which are stored once the answer was read to its end.
    exemplars: Vec<NewExemplar<'t>>,
    cursor: Cursor,
}

impl<'t> Reader<'_, 't> {
    fn lines(&mut self, text: &'t str) -> Result<(), ScrapeError> {
        let (mut rest, mut number) = (text, 0);
        while !rest.is_empty() {
            number += 1;
            let line = rest;
            let read = match self.cursor.strip(rest, self.bounds) {
                Some((what, after)) => {
                    let (tail, after) = after.split_once('\n').unwrap_or((after, ""));
                    rest = after;
                    self.known(what, tail)
                }
                None => {
                    let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
                    rest = after;
                    if line == exposition::END && self.format == Format::OpenMetrics {
                        break;
                    }
                    self.line(line)
                }
            };
            read.map_err(|expected| {
                let line = line.lines().next().unwrap_or_default();
                ScrapeError::Malformed { line: number, expected, text: cut(line, QUOTED) }
            })?;
        }
        let is_end = rest.is_empty();
        let after_end = ScrapeError::Malformed {
            line: number,
            expected: "no line after # EOF",
            text: cut(rest, QUOTED),
        };
        if is_end { Ok(()) } else { Err(after_end) }
    }

    /// Reads a line of which the last answer had the beginning.
    fn known(&mut self, what: What, tail: &'t str) -> Result<(), Expected> {
        match what {
            What::Series(series) => {
                let sample = exposition::sample(tail, self.format)?;
                self.store(series, &sample)?;
            }
            What::Type(bounds) => self.bounds = bounds,
            What::Comment => {}
        }
        Ok(())
    }

    /// Reads a line that the last answer did not have at this place.
    fn line(&mut self, line: &'t str) -> Result<(), Expected> {
        let is_text = self.format == Format::Text;
        if line.starts_with('#') {
            return self.comment(line);
        }
        if is_text && line.trim_matches([' ', '\t', '\r']).is_empty() {
            return Ok(());
        }
        let series = exposition::series(line)?;
        let sample = exposition::sample(&line[series.length..], self.format)?;
        if sample.has_time {
            self.scraped.samples += 1;
            self.scraped.refused += 1;
            self.budget.refused.timestamp(1);
            return Ok(());
        }
        let target = self.target.labels.clone();
        let labels = merged(&target, &series, self.bounds)?;
        let labels: Vec<_> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        match self.target.series(&labels, false, self.budget) {
            Some((number, is_new)) => {
                self.scraped.added += u64::from(is_new);
                self.cursor.add(Entry::new(
                    &line[..series.length],
                    What::Series(number),
                    self.bounds,
                ));
                self.store(number, &sample)?;
            }
            None => {
                self.scraped.samples += 1;
                self.scraped.refused += 1;
                self.budget.refused.limit(1);
            }
        }
        Ok(())
    }

    fn comment(&mut self, line: &'t str) -> Result<(), Expected> {
        let (target, budget, before) = (&mut *self.target, self.budget, self.bounds);
        let what = match exposition::comment(line, self.format)? {
            Comment::Type { family, kind } => {
                self.bounds = match kind {
                    "histogram" => Bounds::Le,
                    "summary" => Bounds::Quantile,
                    _ => Bounds::None,
                };
                target.describe(family, budget, |known| known.kind = kind);
                What::Type(self.bounds)
            }
            Comment::Help { family, text } => {
                let help = budget.intern(&cut(&text, HELP_BYTES));
                target.describe(family, budget, |known| known.help = help);
                What::Comment
            }
            Comment::Unit { family, unit } => {
                let unit = budget.intern(&cut(unit, HELP_BYTES));
                target.describe(family, budget, |known| known.unit = unit);
                What::Comment
            }
            Comment::Other => What::Comment,
        };
        self.cursor.add(Entry::new(line, what, before));
        Ok(())
    }

    fn store(&mut self, series: u32, sample: &exposition::Sample<'t>) -> Result<(), Expected> {
        self.scraped.samples += 1;
        let is_duplicate = self.row.get(series as usize).is_some_and(|bits| *bits != ABSENT);
        if sample.has_time || is_duplicate {
            self.scraped.refused += 1;
            let refused = &self.budget.refused;
            if sample.has_time {
                refused.timestamp(1)
            } else {
                refused.duplicate(1)
            }
            return Ok(());
        }
        put(&mut self.row, series, sample.value);
        if let Some(text) = sample.exemplar {
            let hash = hash::of(text.as_bytes());
            if self.target.exemplars.get(&series).is_none_or(|(last, _)| *last != hash) {
                let exemplar = exposition::exemplar(text)?;
                self.exemplars.push(NewExemplar { series, hash, exemplar });
            }
        }
        Ok(())
    }
}

/// The labels of a series with its target's, sorted by name. If both have a label, the target's counts, and the exposed one is renamed
/// to `exported_…`, as with Prometheus' `honor_labels: false`.
fn merged<'a>(
    target: &'a Labels,
    series: &'a exposition::Series<'_>,
    bounds: Bounds,
) -> Result<Vec<Label<'a>>, Expected> {
    let mut labels: Vec<Label<'_>> = Vec::with_capacity(series.labels.len() + target.len() + 1);
    labels.push((METRIC_NAME.into(), series.name.into()));
    let normal = match bounds {
        Bounds::Le => Some("le"),
        Bounds::Quantile => Some("quantile"),
        Bounds::None => None,
    };
    for (name, value) in &series.labels {
        let bound = (normal == Some(*name)).then(|| exposition::bound(value)).flatten();
        let value = bound.map_or(Cow::Borrowed(&**value), Cow::Owned);
        labels.push((Cow::Borrowed(*name), value));
    }
    let exposed = labels.len();
    labels.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    labels.dedup_by(|(a, _), (b, _)| a == b);
    if labels.len() < exposed {
        return Err("labels with different names");
    }
    labels.retain(|(_, value)| !value.is_empty());
    let mut conflicts: Vec<_> =
        labels.extract_if(.., |(name, _)| !target.get(name).is_empty()).collect();
    labels.extend(pairs(target).map(|(name, value)| (name.into(), value.into())));
    conflicts.sort_by_key(|(name, _)| name.len());
    for (name, value) in conflicts {
        let mut name = format!("exported_{name}");
        while labels.iter().any(|(known, _)| *known == name) {
            name.insert_str(0, "exported_");
        }
        labels.push((name.into(), value));
    }
    labels.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(labels)
}

/// Stores an exemplar, unless it is too long or older than the last one of its series.
fn add_exemplar(target: &mut Target, budget: &Budget, new: &NewExemplar<'_>, at_ms: i64) {
    let NewExemplar { series, hash, exemplar } = new;
    let at_ms = exemplar.at_ms.unwrap_or(at_ms);
    let labels = exemplar.labels.iter().map(|(name, value)| (*name, &**value));
    let characters = |(name, value): (&str, &str)| name.len() + value.chars().count();
    let is_too_long = labels.clone().map(characters).sum::<usize>() > CHARACTERS;
    let is_older = target.exemplars.get(series).is_some_and(|(_, last_ms)| at_ms < *last_ms);
    let known = target.series.get(*series);
    let Some(known) = known.filter(|_| !is_too_long && !is_older) else {
        return budget.refused.exemplar();
    };
    let sample = Sample { at_ms, value: exemplar.value };
    budget.exemplars.lock().add(Exemplar::new(known.labels.clone(), sample, labels));
    target.exemplars.insert(*series, (*hash, at_ms));
}

/// The beginning of a text, with at most so many bytes.
fn cut(text: &str, bytes: usize) -> String {
    let end = text.floor_char_boundary(bytes);
    let more = if end < text.len() { "…" } else { "" };
    format!("{}{more}", &text[..end])
}
