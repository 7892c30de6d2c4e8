//! Readiness as latches: ready is when every latch was released, and not ready again when the drain begins.

use std::sync::Arc;

use parking_lot::Mutex;

/// All latches of a process.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    missing: Vec<&'static str>,
    draining: bool,
}

/// Holds readiness back until it is released or dropped.
#[must_use = "a latch that is dropped is released"]
pub struct Latch {
    name: &'static str,
    readiness: Readiness,
}

impl Readiness {
    /// A new reason for not being ready.
    pub fn latch(&self, name: &'static str) -> Latch {
        self.0.lock().missing.push(name);
        Latch { name, readiness: self.clone() }
    }

    /// What is missing; empty when ready.
    pub fn missing(&self) -> Vec<&'static str> {
        let state = self.0.lock();
        let mut missing = state.missing.clone();
        if state.draining {
            missing.push("draining");
        }
        missing
    }

    pub(crate) fn drain(&self) {
        self.0.lock().draining = true;
    }
}

impl Latch {
    /// One reason less.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        let mut state = self.readiness.0.lock();
        if let Some(index) = state.missing.iter().position(|name| *name == self.name) {
            state.missing.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_when_nothing_is_missing() {
        let readiness = Readiness::default();
        let (database, kafka) = (readiness.latch("database"), readiness.latch("kafka"));
        database.release();
        assert_eq!(readiness.missing(), ["kafka"]);
        kafka.release();
        assert!(readiness.missing().is_empty());
        readiness.drain();
        assert_eq!(readiness.missing(), ["draining"]);
    }
}
