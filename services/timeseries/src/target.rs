//! One target: its series, its rows, and the rules of staleness.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use promql::{Labels, METRIC_NAME, STALE};

use crate::{
    block::Row,
    budget::Budget,
    codec::ABSENT,
    cost,
    rows::Rows,
    sequence::Entry,
    series::{SeriesSet, pairs},
};

/// A target has at most so many descriptions of metrics.
const DESCRIPTIONS: usize = 4_096;

/// A target, or a group of rules.
#[derive(Debug)]
pub(crate) struct Target {
    /// The labels that all its series get.
    pub(crate) labels: Labels,
    pub(crate) series: SeriesSet,
    pub(crate) rows: Rows,
    /// The lines of its last answer.
    pub(crate) sequence: Vec<Entry>,
    /// The descriptions of its metrics, by family.
    pub(crate) described: BTreeMap<Arc<str>, Description>,
    /// The last exemplar of each series: its hash and its time.
    pub(crate) exemplars: HashMap<u32, (u64, i64)>,
    /// The bytes of indexes and of rows that [`Budget`] knows of.
    settled: (usize, usize),
}

/// What has rows of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The labels of a target.
    Target(Labels),
    /// The name of a group of rules.
    Rules(String),
}

impl Key {
    /// The labels that all its series get.
    pub(crate) fn labels(&self) -> Labels {
        match self {
            Self::Target(labels) => labels.clone(),
            Self::Rules(_) => Labels::empty(),
        }
    }
}

/// The description of a metric.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) kind: &'static str,
    pub(crate) help: Arc<str>,
    pub(crate) unit: Arc<str>,
}

/// What Prometheus notes of each scrape, beside the answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    pub(crate) is_up: bool,
    pub(crate) took: Duration,
    pub(crate) scraped: u64,
    pub(crate) stored: u64,
    pub(crate) added: u64,
}

impl Target {
    pub(crate) fn new(labels: Labels) -> Self {
        Self {
            labels,
            series: SeriesSet::default(),
            rows: Rows::default(),
            sequence: Vec::new(),
            described: BTreeMap::new(),
            exemplars: HashMap::new(),
            settled: (0, 0),
        }
    }

    /// Whether a row of this time would be the newest.
    pub(crate) fn is_next(&self, at_ms: i64) -> bool {
        self.rows.last_ms().is_none_or(|last_ms| last_ms < at_ms)
    }

    /// Whether a series of its last row goes on.
    pub(crate) fn is_alive(&self) -> bool {
        self.rows.last().is_some_and(|last| last.values.iter().any(lives))
    }

    /// The series with these labels, sorted by name, and whether it is new; `None` if there is no room for it.
    pub(crate) fn series(
        &mut self,
        labels: &[(&str, &str)],
        is_report: bool,
        budget: &Budget,
    ) -> Option<(u32, bool)> {
        if let Some(known) = self.series.find(labels) {
            return Some((known, false));
        }
        let labels = budget.reserve_series(labels, is_report)?;
        Some((self.series.add(labels), true))
    }

    /// Adds the samples that report on a scrape.
    pub(crate) fn report(&mut self, report: Report, row: &mut Vec<u64>, budget: &Budget) {
        let values = [
            ("up", f64::from(report.is_up)),
            ("scrape_duration_seconds", report.took.as_secs_f64()),
            ("scrape_samples_scraped", report.scraped as f64),
            ("scrape_samples_post_metric_relabeling", report.stored as f64),
            ("scrape_series_added", report.added as f64),
        ];
        let target = self.labels.clone();
        for (name, value) in values {
            let mut labels: Vec<_> = pairs(&target).chain([(METRIC_NAME, name)]).collect();
            labels.sort_unstable();
            match self.series(&labels, true, budget) {
                Some((series, _)) => put(row, series, value),
                None => budget.refused.limit(1),
            }
        }
    }

    /// Stores a row, with a staleness marker for each series that the last row has and this one has not.
    pub(crate) fn commit(&mut self, at_ms: i64, mut row: Vec<u64>) {
        if let Some(last) = self.rows.last() {
            row.resize(row.len().max(last.values.len()), ABSENT);
            for (now, _) in row.iter_mut().zip(&*last.values).filter(|(_, last)| lives(last)) {
                *now = if *now == ABSENT { STALE.to_bits() } else { *now };
            }
        }
        self.commit_as_it_is(at_ms, row);
    }

    /// Stores a row.
    pub(crate) fn commit_as_it_is(&mut self, at_ms: i64, row: Vec<u64>) {
        for (series, _) in row.iter().enumerate().filter(|(_, bits)| **bits != ABSENT) {
            self.touch(series as u32, at_ms);
        }
        self.rows.push(Row { at_ms, values: Arc::new(row) });
    }

    /// Adds a sample to the last row, which has this time.
    pub(crate) fn add_to_last(&mut self, series: u32, value: f64) -> bool {
        let Some(at_ms) = self.rows.last().map(|row| row.at_ms) else { return false };
        let Some(row) = self.rows.last_mut() else { return false };
        let is_free = row.get(series as usize).is_none_or(|bits| *bits == ABSENT);
        if is_free {
            put(row, series, value);
            self.touch(series, at_ms);
        }
        is_free
    }

    /// Notes that series have a sample of a time.
    pub(crate) fn touch_all(&mut self, series: &[u32], at_ms: i64) {
        for series in series {
            self.touch(*series, at_ms);
        }
    }

    fn touch(&mut self, series: u32, at_ms: i64) {
        if let Some(series) = self.series.get_mut(series) {
            series.last_ms = at_ms;
        }
    }

    /// Describes a metric.
    pub(crate) fn describe(
        &mut self,
        family: &str,
        budget: &Budget,
        set: impl FnOnce(&mut Description),
    ) {
        if !self.described.contains_key(family) {
            if self.described.len() >= DESCRIPTIONS {
                return;
            }
            let (family, nothing) = (budget.intern(family), budget.intern(""));
            let unit = Arc::clone(&nothing);
            self.described.insert(family, Description { kind: "unknown", help: nothing, unit });
        }
        if let Some(description) = self.described.get_mut(family) {
            set(description);
        }
    }

    /// Removes rows that are older than a moment.
    pub(crate) fn expire(&mut self, before_ms: i64, budget: &Budget) {
        let from_ms = self.rows.first_ms();
        self.rows.expire(before_ms);
        if self.rows.first_ms() != from_ms {
            self.remove_empty_series(budget);
        }
    }

    /// Removes the oldest block to make room.
    pub(crate) fn evict(&mut self, budget: &Budget) {
        budget.evict(self.rows.pop_block());
        self.remove_empty_series(budget);
    }

    /// Removes the series that have no sample.
    pub(crate) fn remove_empty_series(&mut self, budget: &Budget) {
        let from_ms = self.rows.first_ms().unwrap_or(i64::MAX);
        let empty = self.series.iter().filter(|(_, series)| series.last_ms < from_ms);
        let empty: Vec<_> = empty.map(|(number, _)| number).collect();
        for number in &empty {
            if let Some(labels) = self.series.remove(*number) {
                budget.release_series(&labels);
            }
            self.exemplars.remove(number);
        }
        if !empty.is_empty() {
            // It names series that are gone; the next answer is parsed as if it were the first.
            self.sequence = Vec::new();
        }
        if self.rows.first_ms().is_none() {
            self.described.clear();
        }
    }

    /// Whether nothing is left of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.first_ms().is_none() && self.series.len() == 0
    }

    /// Tells the budget what the target uses now.
    pub(crate) fn settle(&mut self, budget: &Budget) {
        let described = self.described.len() * (size_of::<(Arc<str>, Description)>() + 8);
        let index = cost::shared(size_of::<Self>())
            + self.series.bytes()
            + cost::allocation(self.sequence.capacity() * size_of::<Entry>())
            + cost::table(self.exemplars.capacity(), size_of::<(u32, (u64, i64))>())
            + described * 3 / 2;
        let now = (index, self.rows.bytes());
        budget.settle(self.settled, now);
        self.settled = now;
    }

    /// Gives back what it uses, because the target is removed.
    pub(crate) fn release(&mut self, budget: &Budget) {
        budget.settle(self.settled, (0, 0));
        self.settled = (0, 0);
    }
}

/// Whether a series with this last value goes on.
fn lives(bits: &u64) -> bool {
    *bits != ABSENT && *bits != STALE.to_bits()
}

/// Sets the value of a series in a row. NaNs are unified, because other bit patterns have a meaning.
pub(crate) fn put(row: &mut Vec<u64>, series: u32, value: f64) {
    let place = series as usize;
    if row.len() <= place {
        row.resize(place + 1, ABSENT);
    }
    let is_nan = value.is_nan() && !promql::is_stale(value);
    row[place] = if is_nan { f64::NAN.to_bits() } else { value.to_bits() };
}
