//! The series that exist, and their labels.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use grafana::{rule_files::recording, rules::Rule};

/// The labels that every series gets from its scrape target.
pub(crate) const TARGET: [&str; 3] = ["instance", "job", "service"];

/// The labels of every series, by name.
pub(crate) struct Contract {
    series: BTreeMap<String, BTreeSet<String>>,
}

impl Contract {
    /// The series of the services, of the observability parts, and of our recording rules.
    pub(crate) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/contracts");
        let read = |name| fs::read_to_string(folder.join(name)).expect("a contract");
        let mut contract = Self::from(&(read("metrics.txt") + &read("parts.txt")));
        for rule in recording().iter().flat_map(|group| &group.rules) {
            if let Rule::Recording(rule) = rule {
                let level = rule.record.split(':').next().filter(|level| *level != "alert");
                contract.add(&rule.record, rule.labels.keys().copied().chain(level));
            }
        }
        contract
    }

    /// Parses lines of a name, a type and labels, below the name of the service or part that exposes them.
    pub(crate) fn from(text: &str) -> Self {
        let mut contract = Self { series: BTreeMap::new() };
        for line in text.lines().filter(|line| line.starts_with(' ')) {
            let mut words = line.split_whitespace();
            let (name, kind) = (words.next().expect("a name"), words.next().expect("a type"));
            let labels: Vec<_> = words.chain(TARGET).collect();
            if kind == "histogram" {
                contract.add(&format!("{name}_bucket"), labels.iter().copied().chain(["le"]));
                contract.add(&format!("{name}_count"), labels.iter().copied());
                contract.add(&format!("{name}_sum"), labels);
            } else {
                contract.add(name, labels);
            }
        }
        contract
    }

    fn add<'a>(&mut self, name: &str, labels: impl IntoIterator<Item = &'a str>) {
        let known = self.series.entry(name.to_owned()).or_default();
        known.extend(labels.into_iter().map(str::to_owned));
    }

    /// The labels of a series; `None` if no series has this name.
    pub(crate) fn labels(&self, name: &str) -> Option<&BTreeSet<String>> {
        self.series.get(name)
    }
}
