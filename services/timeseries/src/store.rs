//! The store, as its users see it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use promql::{Append, Error, Labels, Sample, Select, Storage, Visit};
use promql_parser::label::Matchers;

use crate::{
    answer::{self, ScrapeError, Scraped},
    budget::Budget,
    options::{Options, Usage},
    restore,
    selection::{self, Selected},
    series::{matches, pairs},
    snapshot::{self, Snapshot, SnapshotError},
    target::{Key, Report, Target},
};

/// The maximum of targets and groups of rules.
const TARGETS: usize = 1_000;

/// How often samples are checked for their age.
const EXPIRE_EVERY_MS: i64 = 10_000;

/// The description of a metric, as its target gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metadata {
    /// `counter`, `gauge`, `histogram`, `summary`, `unknown`, or another type of OpenMetrics.
    pub kind: String,
    /// What it counts.
    pub help: String,
    /// Its unit; often empty.
    pub unit: String,
}

/// The exemplars of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct ExemplarSeries {
    /// The labels of the series.
    pub labels: Labels,
    /// Its exemplars, oldest first.
    pub exemplars: Vec<ExemplarSample>,
}

/// One exemplar: an observation with the trace it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct ExemplarSample {
    /// Such as `trace_id`.
    pub labels: Labels,
    /// The observed value, and when.
    pub sample: Sample,
}

/// A bounded store of series; all its methods may be called from several threads.
pub struct Store {
    budget: Budget,
    targets: RwLock<BTreeMap<Key, Arc<Mutex<Target>>>>,
    /// When samples were checked for their age.
    expired_ms: AtomicI64,
}

impl Store {
    /// An empty store.
    pub fn new(options: Options) -> Self {
        Self {
            budget: Budget::new(options),
            targets: RwLock::default(),
            expired_ms: AtomicI64::new(i64::MIN),
        }
    }

    /// Stores what a target answered: OpenMetrics if it ends with `# EOF`, otherwise Prometheus text. `target` has the labels that
    /// every series of it gets (`job`, `instance`, …); a series that is in the target's last answer, but not in this one, ends. Adds
    /// `up` and `scrape_…`, as Prometheus does.
    ///
    /// # Errors
    /// The answer is not stored; if it is malformed, this is a failed scrape.
    pub fn scrape(
        &self,
        target: &Labels,
        at_ms: i64,
        took: Duration,
        text: &str,
    ) -> Result<Scraped, ScrapeError> {
        let budget = &self.budget;
        let result = self.with(Key::Target(target.clone()), |target| {
            if !target.is_next(at_ms) {
                budget.refused.order(1);
                return Err(ScrapeError::Order);
            }
            let (scraped, row) = answer::read(target, budget, text, at_ms);
            let report = Report {
                is_up: row.is_ok(),
                took,
                scraped: scraped.samples,
                stored: scraped.samples,
                added: scraped.added,
            };
            let (result, mut row) = match row {
                Ok(row) => (Ok(scraped), row),
                Err(error) => (Err(error), Vec::new()),
            };
            target.report(report, &mut row, budget);
            target.commit(at_ms, row);
            result
        });
        self.make_room(at_ms);
        result.unwrap_or(Err(ScrapeError::Targets(TARGETS)))
    }

    /// Notes that a target did not answer: `up` is 0, and all its other series end.
    pub fn scrape_failed(&self, target: &Labels, at_ms: i64, took: Duration) {
        let budget = &self.budget;
        self.with(Key::Target(target.clone()), |target| {
            if !target.is_next(at_ms) {
                return budget.refused.order(1);
            }
            let mut row = Vec::new();
            target.report(Report { took, ..Report::default() }, &mut row, budget);
            target.commit(at_ms, row);
        });
        self.make_room(at_ms);
    }

    /// Ends all series of a target that is no target any more.
    pub fn end(&self, target: &Labels, at_ms: i64) {
        let known = self.targets.read().get(&Key::Target(target.clone())).cloned();
        let Some(known) = known else { return };
        let mut target = known.lock();
        if target.is_next(at_ms) && target.is_alive() {
            target.commit(at_ms, Vec::new());
            target.settle(&self.budget);
        }
    }

    /// The labels of all series that match one of the selections (all series if there is none) and have samples in the time.
    pub fn series(&self, selects: &[Select<'_>]) -> Vec<Labels> {
        let everything = Matchers::empty();
        let all = [Select { matchers: &everything, from_ms: i64::MIN, to_ms: i64::MAX }];
        let mut found = Vec::new();
        for target in self.targets() {
            for select in if selects.is_empty() { &all } else { selects } {
                let Selected { series, view } = Selected::of(&target.lock(), select);
                let with_samples = series.into_iter().filter(|series| view.has(series.number));
                found.extend(with_samples.map(|series| series.labels));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The descriptions by metric; different targets may give different ones.
    pub fn metadata(&self) -> BTreeMap<String, Vec<Metadata>> {
        let mut all: BTreeMap<String, Vec<Metadata>> = BTreeMap::new();
        for target in self.targets() {
            for (family, known) in &target.lock().described {
                let (kind, help, unit) =
                    (known.kind.to_owned(), known.help.to_string(), known.unit.to_string());
                let metadata = Metadata { kind, help, unit };
                let given = all.entry(family.to_string()).or_default();
                if !given.contains(&metadata) {
                    given.push(metadata);
                }
            }
        }
        all
    }

    /// The exemplars of all series that match, within the time, ordered by labels.
    pub fn exemplars(&self, select: &Select<'_>) -> Vec<ExemplarSeries> {
        let mut all: BTreeMap<Labels, Vec<ExemplarSample>> = BTreeMap::new();
        for exemplar in self.budget.exemplars.lock().iter() {
            let is_in_time = (select.from_ms..=select.to_ms).contains(&exemplar.sample.at_ms);
            if is_in_time && matches(&exemplar.series, select.matchers) {
                let sample = ExemplarSample { labels: exemplar.labels(), sample: exemplar.sample };
                all.entry(exemplar.series.clone()).or_default().push(sample);
            }
        }
        let series = |(labels, exemplars)| ExemplarSeries { labels, exemplars };
        all.into_iter().map(series).collect()
    }

    /// Everything in the store as bytes, for [`Store::restore`].
    pub fn snapshot(&self) -> Vec<u8> {
        let targets: Vec<_> = {
            let targets = self.targets.read();
            targets.iter().map(|(key, target)| (key.clone(), Arc::clone(target))).collect()
        };
        snapshot::write(targets.into_iter(), &self.budget.exemplars)
    }

    /// Adds what a snapshot has to an empty store; samples older than the retention before `now_ms`, and blocks that end after
    /// `latest_ms`, are left out. What does not fit is refused or evicted, and counted.
    ///
    /// A target whose last sample lies in the future takes no new ones until then, so a store that will be appended to is restored
    /// with the present as `latest_ms`.
    ///
    /// # Errors
    /// The bytes are no snapshot of this version, or the store has something; nothing is added.
    pub fn restore(
        &self,
        snapshot: &[u8],
        now_ms: i64,
        latest_ms: i64,
    ) -> Result<(), SnapshotError> {
        let Snapshot { targets, exemplars } = snapshot::read(snapshot)?;
        let mut known = self.targets.write();
        if !known.is_empty() {
            return Err(SnapshotError("the store is not empty".to_owned()));
        }
        for saved in targets.into_iter().take(TARGETS) {
            let key = saved.key.clone();
            let mut target = restore::restore(saved, latest_ms, &self.budget);
            target.settle(&self.budget);
            known.insert(key, Arc::new(Mutex::new(target)));
        }
        drop(known);
        for exemplar in exemplars {
            self.budget.exemplars.lock().add(exemplar);
        }
        self.expire(now_ms);
        self.make_room(now_ms);
        Ok(())
    }

    /// What the store uses now.
    pub fn usage(&self) -> Usage {
        let samples = self.targets().iter().map(|target| target.lock().rows.samples()).sum();
        Usage { samples, ..self.budget.usage() }
    }

    /// Calls `work` with a target, which is created if there is none; `None` if there are too many.
    fn with<R>(&self, key: Key, work: impl FnOnce(&mut Target) -> R) -> Option<R> {
        let known = self.targets.read().get(&key).cloned();
        let target = match known {
            Some(target) => target,
            None => {
                let mut targets = self.targets.write();
                if targets.len() >= TARGETS {
                    self.budget.refused.limit(1);
                    return None;
                }
                let labels = key.labels();
                Arc::clone(
                    targets.entry(key).or_insert_with(|| Arc::new(Mutex::new(Target::new(labels)))),
                )
            }
        };
        let mut target = target.lock();
        let result = work(&mut target);
        target.settle(&self.budget);
        Some(result)
    }

    fn targets(&self) -> Vec<Arc<Mutex<Target>>> {
        self.targets.read().values().cloned().collect()
    }

    /// Removes what is too old, from time to time, and the oldest blocks if the memory is full.
    fn make_room(&self, now_ms: i64) {
        let expired_ms = self.expired_ms.load(Relaxed);
        if now_ms.saturating_sub(expired_ms) >= EXPIRE_EVERY_MS {
            self.expired_ms.store(now_ms, Relaxed);
            self.expire(now_ms);
        }
        while self.budget.bytes() > self.budget.options.bytes {
            let oldest = |target: &Arc<Mutex<Target>>| target.lock().rows.oldest_block_ms();
            let targets = self.targets();
            let with_blocks = targets.iter().filter_map(|target| Some((oldest(target)?, target)));
            let Some((_, target)) = with_blocks.min_by_key(|(from_ms, _)| *from_ms) else { return };
            let mut target = target.lock();
            target.evict(&self.budget);
            target.settle(&self.budget);
        }
    }

    fn expire(&self, now_ms: i64) {
        let retention = i64::try_from(self.budget.options.retention.as_millis());
        let before_ms = now_ms.saturating_sub(retention.unwrap_or(i64::MAX));
        for target in self.targets() {
            let mut target = target.lock();
            target.expire(before_ms, &self.budget);
            target.settle(&self.budget);
        }
        self.targets.write().retain(|_, target| {
            // Another thread that has the target is about to store something.
            let is_used = Arc::strong_count(target) > 1;
            let mut target = target.lock();
            let is_removed = !is_used && target.is_empty();
            if is_removed {
                target.release(&self.budget);
            }
            !is_removed
        });
        self.budget.exemplars.lock().expire(before_ms);
        self.budget.purge();
    }
}

impl Storage for Store {
    fn select(&self, select: &Select<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        // A lock is held only while rows are shared with the query, so that a scrape does not wait for a query.
        let targets = self.targets();
        let selected: Vec<_> =
            targets.iter().map(|target| Selected::of(&target.lock(), select)).collect();
        selection::visit(&selected, select, visit)
    }
}

impl Append for Store {
    fn append(&self, group: &str, at_ms: i64, samples: &[(Labels, f64)]) {
        let budget = &self.budget;
        self.with(Key::Rules(group.to_owned()), |target| {
            if target.is_next(at_ms) {
                target.commit_as_it_is(at_ms, Vec::new());
            }
            if target.rows.last().is_none_or(|row| row.at_ms != at_ms) {
                return budget.refused.order(samples.len() as u64);
            }
            for (labels, value) in samples {
                let labels: Vec<_> = pairs(labels).collect();
                match target.series(&labels, false, budget) {
                    Some((series, _)) => {
                        if !target.add_to_last(series, *value) {
                            budget.refused.duplicate(1);
                        }
                    }
                    None => budget.refused.limit(1),
                }
            }
        });
        self.make_room(at_ms);
    }
}
