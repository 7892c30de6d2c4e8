//! The labels of a series.

use std::{fmt, sync::Arc};

/// The name of the label that has the metric's name.
pub const METRIC_NAME: &str = "__name__";
/// The labels that describe a metric: its name, and what a scrape may add. They do not describe what is calculated from it.
const METADATA: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// The labels of a series, sorted by name, without empty values. Clones share their memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// No label.
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// Labels from pairs in any order. An empty value is the same as no label; of several pairs with one name, the last counts.
    pub fn new(pairs: impl IntoIterator<Item = (Arc<str>, Arc<str>)>) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.reverse();
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        pairs.dedup_by(|(a, _), (b, _)| a == b);
        pairs.retain(|(_, value)| !value.is_empty());
        Self(pairs.into())
    }

    /// The value of a label; empty if there is no such label.
    pub fn get(&self, name: &str) -> &str {
        match self.0.binary_search_by(|(known, _)| (**known).cmp(name)) {
            Ok(place) => &self.0[place].1,
            Err(_) => "",
        }
    }

    /// The labels without the metric's name, type and unit.
    pub fn without_name(&self) -> Self {
        if self.iter().any(|(name, _)| METADATA.contains(&&**name)) {
            self.filter(|name| !METADATA.contains(&name))
        } else {
            self.clone()
        }
    }

    /// The labels whose name the predicate accepts.
    pub fn filter(&self, accepts: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| accepts(name)).cloned().collect())
    }

    /// The labels with another value of one label; an empty value removes it.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let others = self.0.iter().filter(|(known, _)| **known != *name).cloned();
        Self::new(others.chain([(name.into(), value.into())]))
    }

    /// The value of `__name__`; empty if there is none.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME)
    }

    /// The labels by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(Arc<str>, Arc<str>)> {
        self.0.iter()
    }

    /// The number of labels.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Labels {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self::new(pairs.map(|(name, value)| (name.into(), value.into())))
    }
}

impl fmt::Display for Labels {
    /// As Prometheus writes it: `name{label="value"}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric_name())?;
        let rest: Vec<_> = self.iter().filter(|(name, _)| **name != *METRIC_NAME).collect();
        if rest.is_empty() && !self.metric_name().is_empty() {
            return Ok(());
        }
        let pairs: Vec<_> = rest.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        write!(f, "{{{}}}", pairs.join(", "))
    }
}
