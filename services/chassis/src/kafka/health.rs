//! The conditions of a consumer, for `/readyz`. All replicas share the brokers, so that no condition takes a replica out of
//! rotation.

use crate::readiness::{Condition, Impact, Readiness};

/// A consumer's conditions.
#[derive(Clone)]
pub(crate) struct Health {
    /// Raised while no broker answers, or the brokers refuse requests.
    pub(crate) brokers: Condition,
    /// Raised while events wait and none is finished.
    pub(crate) progress: Condition,
    /// Raised while records of a partition cannot be read.
    pub(crate) records: Condition,
}

impl Health {
    pub(crate) fn new(readiness: &Readiness) -> Self {
        let condition = |name| readiness.condition(name, Impact::Degraded);
        Self {
            brokers: condition("kafka"),
            progress: condition("kafka_progress"),
            records: condition("kafka_records"),
        }
    }
}
