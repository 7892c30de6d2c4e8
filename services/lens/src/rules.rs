//! The rules after their last evaluations.

use std::sync::Arc;

use parking_lot::RwLock;
use promrules::GroupState;

/// The states of all groups of rules: their evaluation writes them, the API reads them.
#[derive(Default)]
pub(crate) struct States(RwLock<Vec<Arc<GroupState>>>);

impl States {
    /// Replaces the states of all groups, in the order of their files.
    #[cfg_attr(not(test), expect(dead_code, reason = "the evaluation of the rules calls it"))]
    pub(crate) fn publish(&self, groups: Vec<Arc<GroupState>>) {
        *self.0.write() = groups;
    }

    /// The states of all groups.
    pub(crate) fn groups(&self) -> Vec<Arc<GroupState>> {
        self.0.read().clone()
    }
}
