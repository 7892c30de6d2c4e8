//! The metrics of a consumer.

use std::{sync::Arc, time::Duration};

use super::dead_letter::Reason;
use crate::metrics::{Gauge, Histogram, IntCounter, IntCounterVec};

crate::metrics! {
    /// What happens to events.
    pub(super) struct Metrics in "" {
        /// Seconds that handling an event took, with all its attempts, until it had its effect (handled) or was set aside
        /// (dead_lettered). One observation an event: each event of a batch takes as long as its batch. Events that are
        /// skipped, known already or left to another process are no observation; mesh_events_total counts them.
        messaging_process_duration_seconds:
            HistogramVec["messaging_destination_name", "messaging_consumer_group_name", "outcome"],
        /// Records on the broker that the group has not finished.
        mesh_consumer_lag: IntGaugeVec["topic", "partition", "group"],
        /// Age of the oldest event that was fetched and is not finished.
        mesh_consumer_oldest_age_seconds: GaugeVec["topic", "group"],
        /// Partitions that are assigned to this process.
        mesh_consumer_assigned_partitions: IntGaugeVec["topic", "group"],
        /// Rebalances of the group while this process was a member.
        mesh_consumer_rebalances_total: IntCounterVec["group"],
        /// Whether a Kafka broker answers this process.
        mesh_kafka_connected: IntGauge,
        /// Events by outcome: handled, duplicate, skipped, dead_lettered, or abandoned (left to the next owner of the partition).
        mesh_events_total: IntCounterVec["topic", "group", "outcome"],
        /// Seconds from publishing an event to having handled it. One observation an event that had its effect and was sent
        /// once: the age of one that is sent again, to a broker that forgot it or out of a dead-letter queue, says nothing about
        /// how fast events flow.
        mesh_event_delay_seconds: HistogramVec["topic", "group"],
        /// Records that the broker deleted before they were fetched.
        mesh_consumer_gap_records_total: IntCounterVec["topic"],
        /// Events that could not be handled and were set aside.
        mesh_dead_letters_total: IntCounterVec["topic", "reason"],
        /// Dead letters that the brokers refused for good; the log has their positions.
        mesh_dead_letters_lost_total: IntCounterVec["topic"],
        /// Events that had been handled before.
        mesh_duplicates_dropped_total: IntCounterVec["topic"],
        /// Attempts after the first.
        mesh_retries_total: IntCounterVec["topic"],
    }
}

/// The outcome of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was handled now.
    Handled,
    /// It had been handled before.
    Duplicate,
    /// It is for another group, or of a type that the handler does not want.
    Skipped,
    /// It became a dead letter.
    DeadLettered,
    /// It is left to another process, or to this one after a restart.
    Abandoned,
}

impl Outcome {
    const ALL: [Self; 5] =
        [Self::Handled, Self::Duplicate, Self::Skipped, Self::DeadLettered, Self::Abandoned];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Duplicate => "duplicate",
            Self::Skipped => "skipped",
            Self::DeadLettered => "dead_lettered",
            Self::Abandoned => "abandoned",
        }
    }

    /// Returns whether its duration is measured: the other outcomes took no handler's time.
    pub(super) fn is_measured(self) -> bool {
        matches!(self, Self::Handled | Self::DeadLettered)
    }

    /// Returns whether the event is finished.
    pub(super) fn is_final(self) -> bool {
        self != Self::Abandoned
    }
}

/// The metrics of one topic, with their labels resolved once.
pub(super) struct Topic {
    durations: [Option<Histogram>; Outcome::ALL.len()],
    outcomes: [IntCounter; Outcome::ALL.len()],
    pub(super) delay: Histogram,
    pub(super) duplicates: IntCounter,
    pub(super) retries: IntCounter,
    pub(super) gaps: IntCounter,
    pub(super) oldest_age: Gauge,
    pub(super) dead_letters: IntCounterVec,
    pub(super) letters_lost: IntCounter,
    pub(super) panics: IntCounter,
}

impl Topic {
    /// Counts events of one outcome, and records how long each took.
    pub(super) fn record(&self, outcome: Outcome, events: usize, took: Duration) {
        self.count(outcome, events);
        let Some(durations) = &self.durations[outcome as usize] else { return };
        (0..events).for_each(|_| durations.observe(took.as_secs_f64()));
    }

    /// Counts events of one outcome whose duration is not measured.
    pub(super) fn count(&self, outcome: Outcome, events: usize) {
        self.outcomes[outcome as usize].inc_by(events as u64);
    }
}

impl Metrics {
    pub(super) fn topic(&self, topic: &str, group: &str, panics: &IntCounter) -> Arc<Topic> {
        let durations = &self.messaging_process_duration_seconds;
        let counter = |family: &IntCounterVec| family.with_label_values(&[topic]);
        self.mesh_consumer_assigned_partitions.with_label_values(&[topic, group]).set(0);
        for reason in Reason::ALL {
            self.mesh_dead_letters_total.with_label_values(&[topic, reason.as_str()]);
        }
        Arc::new(Topic {
            durations: Outcome::ALL.map(|outcome| {
                let of = || durations.with(&[topic, group, outcome.as_str()]);
                outcome.is_measured().then(of)
            }),
            outcomes: Outcome::ALL
                .map(|one| self.mesh_events_total.with_label_values(&[topic, group, one.as_str()])),
            delay: self.mesh_event_delay_seconds.with(&[topic, group]),
            duplicates: counter(&self.mesh_duplicates_dropped_total),
            retries: counter(&self.mesh_retries_total),
            gaps: counter(&self.mesh_consumer_gap_records_total),
            oldest_age: self.mesh_consumer_oldest_age_seconds.with_label_values(&[topic, group]),
            dead_letters: self.mesh_dead_letters_total.clone(),
            letters_lost: counter(&self.mesh_dead_letters_lost_total),
            panics: panics.clone(),
        })
    }
}
