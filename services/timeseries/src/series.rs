//! The series of one target, found by their labels and by the metric's name.

use std::{collections::HashMap, sync::Arc};

use hashbrown::HashTable;
use promql::{Labels, METRIC_NAME};
use promql_parser::label::{MatchOp, Matcher, Matchers};

use crate::{cost, hash};

/// A series, without its samples.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    hash: u64,
    /// The time of its last sample.
    pub(crate) last_ms: i64,
}

/// A series that fits a selection.
pub(crate) struct Found {
    pub(crate) number: u32,
    pub(crate) labels: Labels,
    pub(crate) hash: u64,
}

/// The series of a target. Each has a number, which is used again when the series is gone.
#[derive(Debug, Default)]
pub(crate) struct SeriesSet {
    series: Vec<Option<Series>>,
    free: Vec<u32>,
    by_labels: HashTable<u32>,
    by_name: HashMap<Arc<str>, Vec<u32>>,
}

impl SeriesSet {
    /// The number of a series with these labels, sorted by name.
    pub(crate) fn find(&self, labels: &[(&str, &str)]) -> Option<u32> {
        let hash = hash::of_labels(labels.iter().copied());
        let is_same = |number: &u32| {
            self.get(*number).is_some_and(|series| {
                series.hash == hash && pairs(&series.labels).eq(labels.iter().copied())
            })
        };
        self.by_labels.find(hash, is_same).copied()
    }

    /// Adds a series that is not in the set.
    pub(crate) fn add(&mut self, labels: Labels) -> u32 {
        let hash = hash::of_labels(pairs(&labels));
        let number = self.free.pop().unwrap_or(self.series.len() as u32);
        if number as usize == self.series.len() {
            self.series.push(None);
        }
        let name = labels.iter().find(|(name, _)| **name == *METRIC_NAME);
        if let Some((_, name)) = name {
            self.by_name.entry(Arc::clone(name)).or_default().push(number);
        }
        self.series[number as usize] = Some(Series { labels, hash, last_ms: i64::MIN });
        let series = &self.series;
        self.by_labels.insert_unique(hash, number, |number| {
            series[*number as usize].as_ref().map_or(0, |series| series.hash)
        });
        number
    }

    /// Removes a series; returns its labels.
    pub(crate) fn remove(&mut self, number: u32) -> Option<Labels> {
        let series = self.series.get_mut(number as usize)?.take()?;
        if let Ok(entry) = self.by_labels.find_entry(series.hash, |known| *known == number) {
            entry.remove();
        }
        if let Some(numbers) = self.by_name.get_mut(series.labels.metric_name()) {
            numbers.retain(|known| *known != number);
            if numbers.is_empty() {
                self.by_name.remove(series.labels.metric_name());
            }
        }
        self.free.push(number);
        Some(series.labels)
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Series> {
        self.series.get(number as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Series> {
        self.series.get_mut(number as usize)?.as_mut()
    }

    /// The series with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Series)> {
        let numbered = self.series.iter().enumerate();
        numbered.filter_map(|(number, series)| Some((number as u32, series.as_ref()?)))
    }

    /// The number of series.
    pub(crate) fn len(&self) -> usize {
        self.series.len() - self.free.len()
    }

    /// The numbers in use are below this one.
    pub(crate) fn width(&self) -> usize {
        self.series.len()
    }

    /// The series that fit.
    pub(crate) fn matching(&self, matchers: &Matchers) -> Vec<Found> {
        let fits = |number: u32| {
            let series = self.get(number)?;
            let Series { labels, hash, .. } = series;
            matches(labels, matchers).then(|| Found { number, labels: labels.clone(), hash: *hash })
        };
        match name_of(matchers) {
            Some(name) => {
                let numbers = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
                numbers.iter().filter_map(|number| fits(*number)).collect()
            }
            None => (0..self.series.len() as u32).filter_map(fits).collect(),
        }
    }

    /// The bytes of its tables, without labels.
    pub(crate) fn bytes(&self) -> usize {
        let numbers = self.by_name.values().map(|numbers| cost::allocation(numbers.capacity() * 4));
        cost::allocation(self.series.capacity() * size_of::<Option<Series>>())
            + cost::allocation(self.free.capacity() * 4)
            + cost::table(self.by_labels.capacity(), 4)
            + cost::table(self.by_name.capacity(), size_of::<(Arc<str>, Vec<u32>)>())
            + numbers.sum::<usize>()
    }
}

/// Labels as pairs of texts.
pub(crate) fn pairs(labels: &Labels) -> impl Iterator<Item = (&str, &str)> {
    labels.iter().map(|(name, value)| (&**name, &**value))
}

/// Whether labels fulfil all conditions.
pub(crate) fn matches(labels: &Labels, matchers: &Matchers) -> bool {
    let fits = |matcher: &Matcher| matcher.is_match(labels.get(&matcher.name));
    let any_of = &matchers.or_matchers;
    matchers.matchers.iter().all(fits)
        && (any_of.is_empty() || any_of.iter().any(|all| all.iter().all(fits)))
}

/// The metric's name that a selection asks for.
fn name_of(matchers: &Matchers) -> Option<&str> {
    let is_name = |matcher: &&Matcher| matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal;
    matchers.matchers.iter().find(is_name).map(|matcher| matcher.value.as_str())
}
