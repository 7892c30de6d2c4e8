//! Readiness: latches delay it until the service has started, and conditions are raised and cleared afterwards.
//!
//! A latch is released once. A condition is raised while something is wrong and cleared afterwards; its [`Impact`] says whether
//! this process still gets traffic in the meantime.

use std::{sync::Arc, time::SystemTime};

use parking_lot::Mutex;
use serde::Serialize;

use crate::{metrics::Registry, text::printable};

/// The most characters of a reason: as much as one line of a terminal or a health log can show.
const REASON: usize = 300;

crate::metrics! {
    /// What is wrong at the moment.
    struct Metrics in "mesh" {
        /// 1 while the condition is raised: something the service needs does not work. `/readyz` says why.
        degraded: IntGaugeVec["condition"],
        /// 1 while the process is ready for traffic, else 0. `/readyz` says what is missing.
        ready: IntGauge,
    }
}

/// What a raised condition means for the traffic of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Impact {
    /// The condition is only reported. For what all replicas share (a broker, a database server): if all of them became
    /// unready, the outage of one part would be an outage of everything, also of what works without that part.
    Degraded,
    /// The process is not ready. For what only this process has (its own file, its own disk): another replica can do the work.
    NotReady,
}

/// All latches and conditions of a process; cheap to clone.
#[derive(Clone)]
pub struct Readiness {
    state: Arc<Mutex<State>>,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    /// The names of all latches, in the order in which they were added.
    latches: Vec<&'static str>,
    missing: Vec<&'static str>,
    conditions: Vec<Known>,
    draining: bool,
}

struct Known {
    name: &'static str,
    impact: Impact,
    raised: Option<Raised>,
}

struct Raised {
    reason: String,
    since: SystemTime,
}

/// A raised condition, as `/readyz` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Degraded {
    /// The condition's name.
    pub name: &'static str,
    /// The latest reason.
    pub reason: String,
    /// When it was raised: RFC 3339, in UTC.
    pub since: String,
}

/// What a process waits for or watches, as `/readyz` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The name of the latch or the condition.
    pub name: &'static str,
    /// `latch` or `condition`.
    pub kind: &'static str,
    /// Whether the latch is released, or the condition not raised.
    pub ok: bool,
}

/// Delays readiness until it is released or dropped.
#[must_use = "a latch that is dropped is released"]
pub struct Latch {
    name: &'static str,
    readiness: Readiness,
}

/// A condition that may be raised; cleared at the start. Clones, and conditions of the same name, are the same condition.
#[derive(Clone)]
pub struct Condition {
    name: &'static str,
    readiness: Readiness,
}

impl Readiness {
    /// Readiness without latches and conditions.
    ///
    /// # Errors
    /// The registry already has the gauge of conditions.
    pub fn new(registry: &Registry) -> anyhow::Result<Self> {
        let readiness = Self { state: Arc::default(), metrics: Metrics::register(registry)? };
        readiness.measure(&readiness.state.lock());
        Ok(readiness)
    }

    fn measure(&self, state: &State) {
        self.metrics.ready.set(i64::from(state.missing().is_empty()));
    }

    /// Adds a latch: the process is not ready until it is released.
    pub fn latch(&self, name: &'static str) -> Latch {
        let mut state = self.state.lock();
        state.missing.push(name);
        if !state.latches.contains(&name) {
            state.latches.push(name);
        }
        self.measure(&state);
        drop(state);
        Latch { name, readiness: self.clone() }
    }

    /// The condition of this name. If it exists already, it is the same one, with the stronger impact of the two.
    pub fn condition(&self, name: &'static str, impact: Impact) -> Condition {
        let mut state = self.state.lock();
        match state.conditions.iter_mut().find(|known| known.name == name) {
            Some(known) => known.impact = known.impact.max(impact),
            None => {
                state.conditions.push(Known { name, impact, raised: None });
                self.metrics.degraded.with_label_values(&[name]).set(0);
            }
        }
        drop(state);
        Condition { name, readiness: self.clone() }
    }

    /// The names of what prevents readiness: latches, raised conditions with [`Impact::NotReady`], and the drain. Empty if the
    /// process is ready.
    pub fn missing(&self) -> Vec<&'static str> {
        self.state.lock().missing()
    }

    /// All latches and conditions, in the order in which they were declared.
    pub fn checks(&self) -> Vec<Check> {
        let state = self.state.lock();
        let latches = state.latches.iter().map(|name| {
            let ok = !state.missing.contains(name);
            Check { name, kind: "latch", ok }
        });
        let conditions = state.conditions.iter().map(|known| {
            let ok = known.raised.is_none();
            Check { name: known.name, kind: "condition", ok }
        });
        latches.chain(conditions).collect()
    }

    /// Every raised condition, whatever its impact, in the order in which they were declared.
    pub fn degraded(&self) -> Vec<Degraded> {
        let state = self.state.lock();
        let shown = |known: &Known| {
            let Raised { reason, since } = known.raised.as_ref()?;
            Some(Degraded {
                name: known.name,
                reason: reason.clone(),
                since: humantime::format_rfc3339_millis(*since).to_string(),
            })
        };
        state.conditions.iter().filter_map(shown).collect()
    }

    pub(crate) fn drain(&self) {
        let mut state = self.state.lock();
        state.draining = true;
        self.measure(&state);
    }
}

impl State {
    fn missing(&self) -> Vec<&'static str> {
        let mut missing = self.missing.clone();
        let stops = |known: &&Known| known.raised.is_some() && known.impact == Impact::NotReady;
        missing.extend(self.conditions.iter().filter(stops).map(|known| known.name));
        if self.draining {
            missing.push("draining");
        }
        missing
    }
}

impl Latch {
    /// Releases the latch.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        let mut state = self.readiness.state.lock();
        if let Some(index) = state.missing.iter().position(|name| *name == self.name) {
            state.missing.swap_remove(index);
        }
        self.readiness.measure(&state);
    }
}

impl Condition {
    /// Raises the condition, and logs it. If it is raised already, only the reason changes.
    pub fn raise(&self, reason: impl Into<String>) {
        let reason = printable(&reason.into(), REASON);
        let mut state = self.readiness.state.lock();
        let Some(known) = state.conditions.iter_mut().find(|known| known.name == self.name) else {
            return;
        };
        match &mut known.raised {
            Some(raised) => return raised.reason = reason,
            None => {
                known.raised = Some(Raised { reason: reason.clone(), since: SystemTime::now() });
                self.gauge(1);
            }
        }
        self.readiness.measure(&state);
        drop(state);
        tracing::warn!(condition = self.name, reason, "degraded");
    }

    /// Clears the condition, and logs it if it was raised.
    pub fn clear(&self) {
        let mut state = self.readiness.state.lock();
        let known = state.conditions.iter_mut().find(|known| known.name == self.name);
        let Some(raised) = known.and_then(|known| known.raised.take()) else { return };
        self.gauge(0);
        self.readiness.measure(&state);
        drop(state);
        let lasted = raised.since.elapsed().unwrap_or_default();
        tracing::info!(condition = self.name, seconds = lasted.as_secs_f64(), "recovered");
    }

    /// Whether the condition is raised.
    pub fn is_raised(&self) -> bool {
        let state = self.readiness.state.lock();
        state.conditions.iter().any(|known| known.name == self.name && known.raised.is_some())
    }

    fn gauge(&self, value: i64) {
        self.readiness.metrics.degraded.with_label_values(&[self.name]).set(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readiness() -> (Readiness, Registry) {
        let registry = Registry::new();
        (Readiness::new(&registry).unwrap(), registry)
    }

    #[test]
    fn ready_is_when_nothing_is_missing() {
        let (readiness, _) = readiness();
        let (database, kafka) = (readiness.latch("database"), readiness.latch("kafka"));
        database.release();
        assert_eq!(readiness.missing(), ["kafka"]);
        kafka.release();
        assert!(readiness.missing().is_empty());
        let names = |ok| -> Vec<_> {
            let checks = readiness.checks().into_iter();
            checks.filter(|check| check.ok == ok).map(|check| check.name).collect()
        };
        assert!(names(true) == ["database", "kafka"] && names(false).is_empty());
        readiness.drain();
        assert_eq!(readiness.missing(), ["draining"]);
    }

    #[test]
    fn a_condition_of_this_process_takes_readiness_back_until_it_is_cleared() {
        let (readiness, registry) = readiness();
        let is_ready = |value| registry.text().contains(&format!("\nmesh_ready {value}\n"));
        assert!(is_ready(1));
        let disk = readiness.condition("disk", Impact::NotReady);
        assert!(readiness.missing().is_empty() && readiness.degraded().is_empty());
        disk.raise("no space left");
        assert_eq!(readiness.missing(), ["disk"]);
        assert_eq!(readiness.degraded()[0].reason, "no space left");
        let failed = Check { name: "disk", kind: "condition", ok: false };
        assert!(is_ready(0) && readiness.checks() == [failed]);
        disk.clone().clear();
        assert!(is_ready(1));
        assert!(readiness.missing().is_empty() && readiness.degraded().is_empty());
    }

    #[test]
    fn a_condition_that_all_replicas_share_is_shown_and_leaves_the_service_ready() {
        let (readiness, registry) = readiness();
        let kafka = readiness.condition("kafka", Impact::Degraded);
        assert!(registry.text().contains("mesh_degraded{condition=\"kafka\"} 0"));
        kafka.raise("no broker answers");
        assert!(readiness.missing().is_empty());
        assert_eq!(readiness.degraded()[0].name, "kafka");
        assert!(registry.text().contains("mesh_degraded{condition=\"kafka\"} 1"));
        kafka.clear();
        assert!(registry.text().contains("mesh_degraded{condition=\"kafka\"} 0"));
    }

    #[test]
    fn a_condition_that_is_raised_again_keeps_its_time_and_takes_the_new_reason() {
        let (readiness, _) = readiness();
        let kafka = readiness.condition("kafka", Impact::Degraded);
        kafka.raise("one\u{1b}[2J");
        let since = readiness.degraded()[0].since.clone();
        assert!(!readiness.degraded()[0].reason.contains('\u{1b}'));
        std::thread::sleep(std::time::Duration::from_millis(2));
        kafka.raise("two");
        let degraded = readiness.degraded();
        assert_eq!(degraded, [Degraded { name: "kafka", reason: "two".into(), since }]);
    }

    #[test]
    fn two_of_one_name_are_one_condition_with_the_stronger_impact() {
        let (readiness, _) = readiness();
        let one = readiness.condition("database", Impact::Degraded);
        let two = readiness.condition("database", Impact::NotReady);
        one.raise("malformed");
        assert_eq!(readiness.missing(), ["database"]);
        assert!(two.is_raised());
        two.clear();
        assert!(!one.is_raised());
    }
}
