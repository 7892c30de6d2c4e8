//! How long to wait before a service that died is started again.

use std::time::Duration;

use chassis::retry;

/// Short enough that one crash is hardly noticed.
const FIRST: Duration = Duration::from_millis(100);
/// Long enough that a service that cannot start costs nothing.
const LONGEST: Duration = Duration::from_secs(5);
/// A service that ran for this long has started successfully: its next crash begins a new series.
const SETTLED: Duration = Duration::from_secs(10);

/// Doubles the pause with each crash in a row.
#[derive(Default)]
pub(super) struct Backoff {
    deaths: u32,
}

impl Backoff {
    /// The pause after a run of this length.
    pub(super) fn after(&mut self, lived: Duration) -> Duration {
        if lived >= SETTLED {
            self.deaths = 0;
        }
        let pause = retry::pause(FIRST, LONGEST, self.deaths);
        self.deaths = self.deaths.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_a_bound_and_forgets_after_a_long_life() {
        let mut backoff = Backoff::default();
        let mut pause = |lived| backoff.after(Duration::from_secs(lived)).as_millis();
        let pauses: Vec<_> = (0..8).map(|_| pause(1)).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!((pause(10), pause(9)), (100, 200));
    }
}
