//! Instances of a target that are not found any more: their pods are gone.

use std::collections::VecDeque;

/// More than a service has pods. A pod that is not ready may leave its service for some time, and is no other one afterwards.
const MOST: usize = 32;

/// What has gone.
#[derive(Default)]
pub(super) struct Departed {
    ended: u32,
    /// The latest, each by its address, with the start of its last process.
    latest: VecDeque<(String, f64)>,
}

impl Departed {
    /// How many processes of these instances have ended.
    pub(super) fn ended(&self) -> u32 {
        self.ended
    }

    /// An instance has gone, after so many restarts. One that never answered had no process that is known.
    pub(super) fn add(&mut self, address: String, restarts: u32, started: Option<f64>) {
        self.ended = self.ended.saturating_add(restarts);
        let Some(started) = started else { return };
        self.ended = self.ended.saturating_add(1);
        if self.latest.len() == MOST {
            self.latest.pop_front();
        }
        self.latest.push_back((address, started));
    }

    /// An instance has answered for the first time. If it is a process that had gone, that one has not ended.
    pub(super) fn is_back(&mut self, address: &str, started: f64) {
        let before = self.latest.len();
        self.latest.retain(|(known, since)| known != address || *since != started);
        if self.latest.len() < before {
            self.ended = self.ended.saturating_sub(1);
        }
    }
}
