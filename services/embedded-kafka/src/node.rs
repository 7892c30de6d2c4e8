//! The state of the broker.

use std::sync::Arc;

use embedded_limits::{ConnectionSlots, LogLimit, MemoryBudget};

use super::{cluster::Cluster, coordinator::Coordinator, store::Store};

/// The state that all sessions share.
pub(super) struct Node {
    pub(super) cluster: Cluster,
    pub(super) store: Store,
    pub(super) groups: Coordinator,
    pub(super) memory: Arc<MemoryBudget>,
    pub(super) slots: ConnectionSlots,
    pub(super) log_limit: LogLimit,
}
