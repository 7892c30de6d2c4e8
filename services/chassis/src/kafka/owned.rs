//! The partitions that this process owns, and how many records wait in them.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::metrics::IntGaugeVec;

/// Owned partitions with the ends of their logs, and the metric of their lags. The client's statistics still contain partitions
/// that have moved: those numbers no longer change, and the partitions belong to other processes.
pub(crate) struct Owned {
    group: &'static str,
    lag: IntGaugeVec,
    ends: Mutex<HashMap<(String, i32), Option<i64>>>,
}

impl Owned {
    pub(crate) fn new(group: &'static str, lag: IntGaugeVec) -> Self {
        Self { group, lag, ends: Mutex::default() }
    }

    pub(crate) fn add(&self, partitions: &[(String, i32, Option<i64>)]) {
        let ids =
            partitions.iter().map(|(topic, partition, _)| ((topic.clone(), *partition), None));
        self.ends.lock().extend(ids);
    }

    pub(crate) fn remove(&self, topic: &str, partition: i32) {
        self.ends.lock().remove(&(topic.to_owned(), partition));
        // The series does not exist if no statistics came in between.
        self.lag.remove_label_values(&[topic, &partition.to_string(), self.group]).ok();
    }

    /// Takes a partition's lag and end from the client's statistics. Ignores partitions that this process does not own.
    pub(crate) fn update(&self, topic: &str, partition: i32, lag: Option<i64>, end: i64) {
        let mut ends = self.ends.lock();
        let Some(known) = ends.get_mut(&(topic.to_owned(), partition)) else { return };
        *known = Some(end).filter(|end| *end >= 0);
        if let Some(lag) = lag {
            self.lag.with_label_values(&[topic, &partition.to_string(), self.group]).set(lag);
        }
    }

    /// Where the partition's log ends, if that is known.
    pub(crate) fn end(&self, topic: &str, partition: i32) -> Option<i64> {
        *self.ends.lock().get(&(topic.to_owned(), partition))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Registry;

    #[test]
    fn a_partition_that_moved_has_no_lag_whatever_the_statistics_say() {
        let registry = Registry::new();
        let lag: IntGaugeVec = registry
            .register("mesh_consumer_lag", "Lag.", &["topic", "partition", "group"])
            .unwrap();
        let owned = Owned::new("orders", lag);
        let series = || registry.text().lines().filter(|line| line.starts_with("mesh_")).count();
        owned.update("a", 0, Some(3), 7);
        assert_eq!((series(), owned.end("a", 0)), (0, None), "it was never ours");
        owned.add(&[("a".into(), 0, None), ("a".into(), 1, None)]);
        owned.update("a", 0, Some(3), 7);
        owned.update("a", 1, None, -1);
        assert_eq!((series(), owned.end("a", 0), owned.end("a", 1)), (1, Some(7), None));
        owned.remove("a", 0);
        owned.update("a", 0, Some(3), 7);
        assert_eq!((series(), owned.end("a", 0)), (0, None));
    }
}
