//! What lens knows of one instance of a target.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use reqwest::Url;
use tokio::time::Instant;

use super::{
    Scraper, Target,
    departed::Departed,
    exposition::{self, Latest},
    history::{History, Points, Vitals},
    samples,
};
use crate::coverage::service_of;

/// The number of failed scrapes in a row after which a warning is logged: a service that stops or restarts fails a few before.
/// Queries show the failure at once.
const WARN_AFTER: u32 = 3;

#[derive(Default)]
pub(super) struct Instance {
    /// When the last attempt began, and how long it took.
    pub(super) last: Option<(SystemTime, Duration)>,
    scraped_at: Option<SystemTime>,
    /// Why the last attempt failed, and when the first one in a row did.
    pub(super) error: Option<String>,
    down_since: Option<SystemTime>,
    /// How many attempts in a row failed.
    pub(super) failures: u32,
    /// How often the process was found to be another one.
    restarts: u32,
    /// Whether this process has been ready.
    was_ready: bool,
    latest: Latest,
    pub(super) history: History,
}

impl Instance {
    /// When its process began, if one has answered.
    fn started_seconds(&self) -> Option<f64> {
        self.history.started_seconds()
    }

    /// Takes the metrics of a successful attempt.
    pub(super) fn succeeded(&mut self, text: &Bytes) {
        let (sample, latest) = exposition::read(&String::from_utf8_lossy(text));
        let (before, now) = (self.started_seconds(), sample.started_seconds);
        if before.is_some() && now.is_some() && before != now {
            self.restarts = self.restarts.saturating_add(1);
            self.was_ready = false;
        }
        self.was_ready |= latest.ready == Some(true);
        self.history.add(Instant::now(), sample);
        self.latest = latest;
        self.scraped_at = Some(SystemTime::now());
        (self.error, self.down_since, self.failures) = (None, None, 0);
    }

    /// Whether it said that it stops: a process that was ready stays so until it drains, or until a condition is raised.
    fn is_draining(&self) -> bool {
        self.was_ready && self.latest.ready == Some(false) && self.latest.degraded.is_empty()
    }

    /// Counts a failed attempt; returns whether to log a warning now.
    pub(super) fn failed(&mut self, error: String) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.lost(error);
        self.failures == WARN_AFTER
    }

    /// Counts it as down, without an attempt.
    pub(super) fn lost(&mut self, error: String) {
        self.error = Some(error);
        self.down_since.get_or_insert_with(SystemTime::now);
    }
}

/// The state of one instance of a service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// The name of its target.
    pub(crate) target: String,
    /// Its address; `None` if its name could not be looked up.
    pub(crate) instance: Option<String>,
    /// Why the last attempt failed; `None` if it succeeded.
    pub(crate) error: Option<String>,
    /// When the first attempt failed of those in a row that did.
    pub(crate) down_since: Option<SystemTime>,
    pub(crate) scraped_at: Option<SystemTime>,
    /// How often its process was replaced since lens knows the address.
    pub(crate) restarts: u32,
    /// Whether its process stops, as it should: it takes no new work.
    pub(crate) draining: bool,
    /// When the first instance of its target first answered.
    pub(crate) known_since: Option<SystemTime>,
    /// How many processes of the whole target have ended while lens watched, also those of pods that are gone.
    pub(crate) ended: u32,
    pub(crate) latest: Latest,
    pub(crate) vitals: Vitals,
    pub(crate) points: Option<Points>,
}

impl Service {
    /// The name of the service.
    pub(crate) fn name(&self) -> &str {
        service_of(&self.target)
    }
}

/// An instance whose admin port lens may ask.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    pub(crate) service: Service,
    /// Scheme, host and port; `None` if its name could not be looked up.
    pub(crate) base: Option<String>,
}

impl Scraper {
    /// All instances of all targets, by name and address; a target without instances has one entry.
    pub(crate) fn services(&self, window: Duration) -> Vec<Service> {
        self.services_with_points(window, 0)
    }

    /// The same, with CPU and memory at this many points of the window.
    pub(crate) fn services_with_points(&self, window: Duration, points: usize) -> Vec<Service> {
        let targets = self.targets.read();
        targets.iter().flat_map(|(name, target)| target.services(name, window, points)).collect()
    }

    /// The instances of a service, or of one of its targets.
    pub(crate) fn replicas(&self, name: &str, window: Duration) -> Vec<Replica> {
        let targets = self.targets.read();
        let wanted = |target: &str| target == name || service_of(target) == name;
        let found = targets.iter().filter(|(target, _)| wanted(target));
        let replicas = found.flat_map(|(name, target)| {
            let services = target.services(name, window, 0).into_iter();
            services.map(|service| {
                let base = service.instance.as_ref();
                let base = base.map(|address| format!("{}://{address}", target.url.scheme()));
                Replica { service, base }
            })
        });
        replicas.collect()
    }
}

impl Target {
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            error: Some("not asked yet".to_owned()),
            down_since: None,
            known_since: None,
            text: Bytes::new(),
            instances: BTreeMap::new(),
            ended: BTreeSet::new(),
            departed: Departed::default(),
        }
    }

    /// How many of its processes have ended.
    fn ended_processes(&self) -> u32 {
        let present = self.instances.values().map(|instance| instance.restarts);
        present.fold(self.departed.ended(), u32::saturating_add)
    }

    fn services(&self, name: &str, window: Duration, points: usize) -> Vec<Service> {
        let (now, ended) = (Instant::now(), self.ended_processes());
        let one = |(address, instance): (&String, &Instance)| Service {
            target: name.to_owned(),
            instance: Some(address.clone()),
            error: instance.error.clone(),
            down_since: instance.down_since,
            scraped_at: instance.scraped_at,
            restarts: instance.restarts,
            draining: instance.is_draining(),
            known_since: self.known_since,
            ended,
            latest: instance.latest.clone(),
            vitals: instance.history.over(window),
            points: (points > 0).then(|| instance.history.points(window, points, now)),
        };
        if !self.instances.is_empty() {
            return self.instances.iter().map(one).collect();
        }
        vec![Service {
            target: name.to_owned(),
            instance: None,
            error: self.error.clone(),
            down_since: self.down_since,
            scraped_at: None,
            restarts: 0,
            draining: false,
            known_since: self.known_since,
            ended,
            latest: Latest::default(),
            vitals: Vitals::default(),
            points: None,
        }]
    }

    /// Takes instances that have ended out of the answers: those that drained and do not answer any more, while others do. A name
    /// keeps the address of such a pod for as long as DNS answers are cached.
    pub(super) fn leave_out_ended(&mut self, answers: &mut Vec<samples::Answer>) {
        if answers.iter().all(|answer| answer.text.is_err()) {
            return;
        }
        let is_away = |address: &String| {
            answers.iter().any(|answer| answer.address == *address && answer.text.is_err())
        };
        let drained = self.instances.iter().filter(|(_, instance)| instance.is_draining());
        let ended = drained.map(|(address, _)| address).chain(&self.ended);
        self.ended = ended.filter(|address| is_away(address)).cloned().collect();
        answers.retain(|answer| !self.ended.contains(&answer.address));
    }

    /// Stores the answers; instances that are no longer found are forgotten, because their pods are gone.
    pub(super) fn remember(&mut self, name: &str, answers: Vec<samples::Answer>) {
        (self.error, self.down_since) = (None, None);
        let is_gone = |known: &String| answers.iter().all(|answer| answer.address != *known);
        let gone = self.instances.extract_if(.., |known, _| is_gone(known));
        gone.for_each(|(address, instance)| {
            self.departed.add(address, instance.restarts, instance.started_seconds());
        });
        let mut text = None;
        for samples::Answer { address, at, took, text: answer } in answers {
            let instance = self.instances.entry(address.clone()).or_default();
            instance.last = Some((at, took));
            match answer {
                Ok(answer) => {
                    let is_new = instance.started_seconds().is_none();
                    instance.succeeded(&answer);
                    self.known_since.get_or_insert(at);
                    if let (true, Some(started)) = (is_new, instance.started_seconds()) {
                        self.departed.is_back(&address, started);
                    }
                    text = text.or(Some(answer));
                }
                Err(error) => {
                    if instance.failed(error.clone()) {
                        tracing::warn!(asked = name, error, "a service does not tell its metrics");
                    }
                }
            }
        }
        if let Some(text) = text {
            // A copy, because the original buffer has unused capacity.
            self.text = Bytes::copy_from_slice(&text);
        }
    }

    /// Its name cannot be looked up. The data of its instances is kept, but all of them count as down.
    pub(super) fn lost(&mut self, name: &str, error: String) {
        if self.error.is_none() {
            tracing::warn!(asked = name, error, "a service cannot be found");
        }
        for instance in self.instances.values_mut() {
            instance.lost(error.clone());
        }
        self.down_since.get_or_insert_with(SystemTime::now);
        self.error = Some(error);
    }
}
