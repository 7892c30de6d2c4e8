//! Partitions that an unreadable record stops: the record is found, set aside, and skipped.

use std::{sync::Arc, time::Duration};

use rdkafka::{Offset, consumer::Consumer as _, error::KafkaError};
use tokio::time::Instant;

use super::{Dispatcher, Id};
use crate::{
    events::partition::Partition,
    kafka::unreadable::{Finding, Suspect},
};

/// An error about a record and a gap in the offsets belong together if the gap follows within this time.
const ERROR_TO_GAP: Duration = Duration::from_secs(10);
/// How long a partition that has records may deliver none, before it is examined.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// A partition in which events wait and none has been finished for this long is stuck. One attempt may take as long.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// The last error about a record, of any partition.
pub(super) struct Refused {
    at: Instant,
    error: KafkaError,
}

impl Dispatcher {
    pub(super) fn refused(&mut self, error: KafkaError) {
        self.health.records.raise(format!("a record cannot be read: {error}"));
        self.refused = Some(Refused { at: Instant::now(), error });
    }

    /// The client skips some damaged records by itself as soon as others follow: the offsets that are missing then were
    /// unreadable.
    pub(super) fn skipped_by_client(&mut self, id: Id, offset: i64) {
        let Some(Refused { at, error }) = &self.refused else { return };
        let missing = self.partitions.get(&id).and_then(|partition| partition.missing(offset));
        let Some(from) = missing.filter(|_| at.elapsed() < ERROR_TO_GAP) else { return };
        let error = error.to_string();
        self.set_aside(id, from, offset, error);
    }

    /// Examines partitions that deliver nothing, and skips what was found unreadable.
    pub(super) fn examine(&mut self) {
        for finding in self.examiner.findings() {
            self.found(finding);
        }
        let recent =
            self.refused.as_ref().is_some_and(|refused| refused.at.elapsed() < ERROR_TO_GAP);
        if !recent && self.refused.take().is_some() {
            self.health.records.clear();
        }
        // Without a broker, no partition delivers anything.
        if self.consumer.context().connection.is_down() {
            return;
        }
        let suspects = self.partitions.iter().filter(|(_, partition)| {
            let quiet = partition.quiet_for();
            !partition.paused
                && !partition.cancel.is_cancelled()
                && (recent && !quiet.is_zero() || quiet >= SILENT_FOR)
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
        self.examiner.examine(suspects);
    }

    /// Raises a condition if events of a partition wait and none has been finished for long.
    pub(super) fn check_progress(&self) {
        let stuck = self.partitions.iter().find_map(|(id, partition)| {
            let waits = || self.consumer.context().waits(id.0, id.1, partition.next_offset());
            let idle = partition.idle_for(waits)?;
            (idle >= STUCK_AFTER).then(|| {
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
        // If the records can be read, the client only has to fetch them again from here.
        let seek = self.consumer.seek(topic, partition, Offset::Offset(to), Duration::ZERO);
        if let Err(error) = seek {
            tracing::warn!(topic, partition, offset = to, error = %error, "the unreadable record could not be passed yet");
        }
    }

    /// Sets records aside as one dead letter. The partition goes on after them; their offsets are committed when the letter is
    /// written.
    fn set_aside(&mut self, id: Id, from: i64, to: i64, error: String) {
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        partition.skip_to(from, to);
        let (subscription, cancel) =
            (Arc::clone(&partition.subscription), partition.cancel.clone());
        // It stands in the place of a key's hash, and is unlikely to be one.
        let key = u64::MAX - from.unsigned_abs();
        self.spawn(id, key, async move {
            let done = subscription.context().unreadable(id.1, from..to, &error, &cancel).await;
            if done { vec![from] } else { Vec::new() }
        });
    }
}
