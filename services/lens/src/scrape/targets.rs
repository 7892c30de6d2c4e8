//! The targets and their last scrapes, as Prometheus shows them.

use std::time::{Duration, SystemTime};

use promql::Labels;

use super::{Scraper, samples};

/// An instance of a target.
#[derive(Clone, Debug)]
pub(crate) struct Scraped {
    /// The name of the target in the configuration.
    pub(crate) pool: String,
    /// The labels that its series have.
    pub(crate) labels: Labels,
    /// What is requested.
    pub(crate) url: String,
    /// When the last scrape began, and how long it took; `None` before the first.
    pub(crate) last: Option<(SystemTime, Duration)>,
    /// Why the last scrape failed.
    pub(crate) error: Option<String>,
}

impl Scraper {
    /// The interval between two scrapes, and how long one may take.
    pub(crate) fn interval_and_timeout(&self) -> (Duration, Duration) {
        (self.every, self.timeout)
    }

    /// All instances of all targets; a target without a known instance has one entry.
    pub(crate) fn targets(&self) -> Vec<Scraped> {
        let targets = self.targets.read();
        let mut all = Vec::new();
        for (name, target) in targets.iter() {
            let of = |address: &str, last, error| Scraped {
                pool: name.clone(),
                labels: samples::labels(name, address),
                url: format!("{}://{address}{}", target.url.scheme(), target.url.path()),
                last,
                error,
            };
            if target.instances.is_empty() {
                all.push(of(&samples::address(&target.url), None, target.error.clone()));
            }
            all.extend(
                target
                    .instances
                    .iter()
                    .map(|(address, instance)| of(address, instance.last, instance.error.clone())),
            );
        }
        all
    }
}
