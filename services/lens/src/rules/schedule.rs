//! When a group is evaluated: at multiples of its interval, shifted by an offset of its own.

use std::time::Duration;

/// When a group is evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    interval_ms: i64,
    offset_ms: i64,
}

impl Schedule {
    pub(super) fn new(interval: Duration, offset: Duration) -> Self {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2);
        Self { interval_ms: ms(interval).max(1), offset_ms: ms(offset) }
    }

    /// The last moment of the schedule that is not later than now.
    pub(super) fn at(self, now_ms: i64) -> i64 {
        now_ms - (now_ms - self.offset_ms).rem_euclid(self.interval_ms)
    }

    /// The first moment of the schedule that is later than now.
    pub(super) fn after(self, now_ms: i64) -> i64 {
        self.at(now_ms) + self.interval_ms
    }

    /// How long to wait; none if it is time.
    pub(super) fn wait(self, due_ms: i64, now_ms: i64) -> Option<Duration> {
        let wait = self.due_at(due_ms, now_ms) - now_ms;
        u64::try_from(wait).ok().filter(|wait| *wait > 0).map(Duration::from_millis)
    }

    /// When it is due, seen from now: a clock that was set back must not stop the evaluations.
    pub(super) fn due_at(self, due_ms: i64, now_ms: i64) -> i64 {
        due_ms.min(self.after(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_evaluated_at_shifted_multiples_of_their_interval() {
        let schedule = Schedule::new(Duration::from_secs(5), Duration::from_secs(2));
        assert_eq!((schedule.at(12_000), schedule.after(12_000)), (12_000, 17_000));
        assert_eq!((schedule.at(16_999), schedule.after(16_999)), (12_000, 17_000));
        assert_eq!(schedule.wait(17_000, 16_000), Some(Duration::from_secs(1)));
        assert_eq!(schedule.wait(17_000, 17_000), None);
        // Late: the machine was asleep. It is evaluated once, for now.
        assert_eq!((schedule.wait(17_000, 99_000), schedule.at(99_000)), (None, 97_000));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_evaluations() {
        let schedule = Schedule::new(Duration::from_secs(5), Duration::ZERO);
        assert_eq!(schedule.wait(3_600_000, 12_000), Some(Duration::from_secs(3)));
    }
}
