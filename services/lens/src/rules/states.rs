//! The rules after their last evaluations.

use std::sync::Arc;

use parking_lot::RwLock;
use promrules::GroupState;

/// The states of all groups of rules: their evaluation writes them, and the API reads them without waiting for an evaluation.
#[derive(Default)]
pub(super) struct States(RwLock<Vec<Arc<GroupState>>>);

impl States {
    /// Replaces the states of all groups, in the order of their files.
    pub(super) fn publish(&self, groups: Vec<Arc<GroupState>>) {
        *self.0.write() = groups;
    }

    /// Replaces the state of one group, and returns what was known before.
    pub(super) fn replace(&self, place: usize, state: &Arc<GroupState>) -> Option<Arc<GroupState>> {
        let mut groups = self.0.write();
        groups.get_mut(place).map(|known| std::mem::replace(known, Arc::clone(state)))
    }

    /// The states of all groups.
    pub(super) fn groups(&self) -> Vec<Arc<GroupState>> {
        self.0.read().clone()
    }
}
