//! Hands partitions over: those that move to another replica, and all of them at the end.

use std::{sync::mpsc as sync, time::Duration};

use rdkafka::{TopicPartitionList, consumer::Consumer as _};
use tokio::time::Instant;

use super::{Dispatcher, HandOver, Id};
use crate::events::partition::Partition;

impl Dispatcher {
    pub(super) fn revoke(
        &mut self,
        partitions: &[(String, i32)],
        lost: bool,
        answer: sync::Sender<()>,
    ) {
        let ids: Vec<_> =
            partitions.iter().filter_map(|(topic, partition)| self.id(topic, *partition)).collect();
        for id in &ids {
            let Some(partition) = self.partitions.get_mut(id) else { continue };
            partition.stop();
            if lost {
                partition.abort();
            }
        }
        let until = Instant::now() + if lost { Duration::ZERO } else { self.settings.hand_over() };
        self.leaving.push(HandOver { ids, until, answer });
        self.hand_over();
    }

    /// Hands over partitions that have nothing in flight any more, and those whose time is over.
    pub(super) fn hand_over(&mut self) {
        let now = Instant::now();
        for HandOver { ids, until, answer } in std::mem::take(&mut self.leaving) {
            let idle = |id: &Id| self.partitions.get(id).is_none_or(Partition::is_idle);
            if until > now && !ids.iter().all(idle) {
                self.leaving.push(HandOver { ids, until, answer });
                continue;
            }
            for id in &ids {
                self.committed.remove(id.0, id.1);
                let in_flight = self.partitions.remove(id).map(Partition::abandon);
                if let Some(in_flight) = in_flight.filter(|in_flight| !in_flight.is_empty()) {
                    self.ending.insert(*id, in_flight);
                }
            }
            // The poll thread no longer waits if this took too long.
            answer.send(()).ok();
            self.share();
        }
    }

    /// Ends the hand-over of partitions that are assigned to this process again: the poll thread no longer waits for it.
    /// Otherwise, if this process was too busy to end it in time, the hand-over would remove the new assignment.
    pub(super) fn end_hand_over_of(&mut self, ids: &[Id]) {
        for hand_over in &mut self.leaving {
            if hand_over.ids.iter().any(|id| ids.contains(id)) {
                hand_over.until = Instant::now();
            }
        }
        self.hand_over();
    }

    pub(super) fn stop_all(&mut self) {
        let mut all = TopicPartitionList::new();
        for (id, partition) in &mut self.partitions {
            partition.stop();
            all.add_partition(id.0, id.1);
        }
        if let Err(error) = self.consumer.pause(&all) {
            tracing::debug!(error = %error, "pause failed");
        }
    }
}
