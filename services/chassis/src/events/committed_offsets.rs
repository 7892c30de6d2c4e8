//! The offsets that a consumer group has committed, as far as this process knows. Records below them are not delivered again.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::kafka::poll::Position;

/// The committed offsets of the partitions that this process owns; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CommittedOffsets(Arc<Mutex<HashMap<(String, i32), i64>>>);

impl CommittedOffsets {
    /// Notes the committed offset of a partition. A negative one means that none is committed, and is ignored.
    pub(super) fn set(&self, topic: &str, partition: i32, offset: i64) {
        if offset >= 0 {
            self.0.lock().insert((topic.to_owned(), partition), offset);
        }
    }

    /// Forgets a partition: another process owns it from now on.
    pub(super) fn remove(&self, topic: &str, partition: i32) {
        self.0.lock().remove(&(topic.to_owned(), partition));
    }

    pub(crate) fn all(&self) -> Vec<Position> {
        let all = self.0.lock();
        all.iter()
            .map(|((topic, partition), offset)| (topic.clone(), *partition, *offset))
            .collect()
    }
}
