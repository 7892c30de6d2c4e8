//! What is wrong with a consumer at the moment, for `/readyz`. Brokers are everybody's: none of it takes a replica out of rotation.

use crate::readiness::{Condition, Impact, Readiness};

/// A consumer's conditions.
#[derive(Clone)]
pub(super) struct Health {
    /// No broker answers, or they refuse.
    pub(super) brokers: Condition,
    /// Events wait and none is finished.
    pub(super) progress: Condition,
    /// Records of a partition cannot be read.
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
