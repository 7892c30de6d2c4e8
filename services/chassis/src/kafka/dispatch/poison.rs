//! Partitions that an unreadable record stops: it is found, set aside, and passed.

use std::{sync::Arc, time::Duration};

use rdkafka::{Offset, consumer::Consumer as _, error::KafkaError};
use tokio::time::Instant;

use super::{Dispatcher, Id};
use crate::kafka::{
    partition::Partition,
    unreadable::{Finding, Suspect},
};

/// An error about a record and a gap in the offsets that follows it belong together for so long.
const TOGETHER: Duration = Duration::from_secs(10);
/// How long a partition may give nothing although it has records, before that is looked into.
const QUIET: Duration = Duration::from_secs(5);
/// How long no event of a partition may be finished while some wait. One attempt may take as long.
const STUCK: Duration = Duration::from_secs(30);

/// The last error about a record, of whichever partition.
pub(super) struct Refused {
    at: Instant,
    error: KafkaError,
}

impl Dispatcher {
    pub(super) fn refused(&mut self, error: KafkaError) {
        self.health.records.raise(format!("a record cannot be read: {error}"));
        self.refused = Some(Refused { at: Instant::now(), error });
    }

    /// The client passes over some damaged records by itself as soon as others follow: what is missing then was unreadable.
    pub(super) fn passed_over(&mut self, id: Id, offset: i64) {
        let Some(Refused { at, error }) = &self.refused else { return };
        let missing = self.partitions.get(&id).and_then(|partition| partition.missing(offset));
        let Some(from) = missing.filter(|_| at.elapsed() < TOGETHER) else { return };
        let error = error.to_string();
        self.set_aside(id, from, offset, error);
    }

    /// Looks into partitions that give nothing, and passes what was found unreadable.
    pub(super) fn examine(&mut self) {
        for finding in self.examiner.findings() {
            self.found(finding);
        }
        let recent = self.refused.as_ref().is_some_and(|refused| refused.at.elapsed() < TOGETHER);
        if !recent && self.refused.take().is_some() {
            self.health.records.clear();
        }
        // Then nothing comes, whatever is in the partitions.
        if self.consumer.context().link.is_down() {
            return;
        }
        let suspects = self.partitions.iter().filter(|(_, partition)| {
            let quiet = partition.quiet_for();
            !partition.paused
                && !partition.cancel.is_cancelled()
                && (recent && !quiet.is_zero() || quiet >= QUIET)
        });
        let suspects = suspects.filter(|((topic, number), partition)| {
            recent || self.consumer.context().waits(topic, *number, partition.next_offset())
        });
        let suspects = suspects.map(|((topic, number), partition)| Suspect {
            topic,
            partition: *number,
            next: partition.next_offset(),
        });
        let suspects = suspects.collect();
        self.examiner.look(suspects);
    }

    /// Says so if events wait, and none of their partition has been finished for long.
    pub(super) fn watch_progress(&self) {
        let stuck = self.partitions.iter().find_map(|(id, partition)| {
            let waits = || self.consumer.context().waits(id.0, id.1, partition.next_offset());
            let idle = partition.idle_for(waits)?;
            (idle >= STUCK).then(|| {
                let open = partition.open();
                format!(
                    "nothing of {}/{} was finished for {} s, {open} in hand",
                    id.0,
                    id.1,
                    idle.as_secs()
                )
            })
        });
        match stuck {
            Some(reason) => self.health.progress.raise(reason),
            None => self.health.progress.clear(),
        }
    }

    fn found(&mut self, finding: Finding) {
        let Finding { topic, partition, from, to, error } = finding;
        let id = (topic, partition);
        let stands = |partition: &&Partition| {
            !partition.cancel.is_cancelled() && partition.next_offset().is_none_or(|at| at <= from)
        };
        if self.partitions.get(&id).filter(stands).is_none() {
            return;
        }
        if let Some(error) = error {
            self.set_aside(id, from, to, error);
        }
        // Of what can be read the client needs only be reminded.
        let seek = self.consumer.seek(topic, partition, Offset::Offset(to), Duration::ZERO);
        if let Err(error) = seek {
            tracing::warn!(topic, partition, offset = to, error = %error, "the unreadable record could not be passed yet");
        }
    }

    /// Sets records aside as one letter; the partition goes on after them, and is committed when the letter is written.
    fn set_aside(&mut self, id: Id, from: i64, to: i64, error: String) {
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        partition.skip(from, to);
        let (route, cancel) = (Arc::clone(&partition.route), partition.cancel.clone());
        // Next to those of keys, which are hashes.
        let lane = u64::MAX - from.unsigned_abs();
        self.spawn(id, lane, async move {
            let done = route.scope().unreadable(id.1, from..to, &error, &cancel).await;
            if done { vec![from] } else { Vec::new() }
        });
    }
}
