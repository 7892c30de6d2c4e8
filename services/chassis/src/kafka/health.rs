//! The conditions of a consumer, for `/readyz`. All replicas share the brokers, so that no condition takes a replica out of
//! rotation.

use crate::readiness::{Condition, Impact, Readiness};

/// A consumer's conditions.
#[derive(Clone)]
pub(super) struct Health {
    /// Raised while no broker answers, or the brokers refuse requests.
    pub(super) brokers: Condition,
    /// Raised while events wait and none is finished.
    pub(super) progress: Condition,
    /// Raised while records of a partition cannot be read.
    pub(super) records: Condition,
}

impl Health {
    pub(super) fn new(readiness: &Readiness) -> Self {
        let condition = |name| readiness.condition(name, Impact::Degraded);
        Self {
            brokers: condition("kafka"),
            progress: condition("kafka_progress"),
            records: condition("kafka_records"),
        }
    }
}
