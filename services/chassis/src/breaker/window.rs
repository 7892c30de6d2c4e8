//! The results of the latest calls.

use tokio::time::Instant;

/// Seconds: long enough that a quiet destination has enough calls, short enough that failures of the past are forgotten.
const LENGTH: u64 = 10;

/// Calls and failures of the last seconds, one slot per second.
pub(super) struct Window {
    begun: Instant,
    /// The second of the latest count, since the window was created.
    now: u64,
    seconds: [(u32, u32); LENGTH as usize],
}

impl Default for Window {
    fn default() -> Self {
        Self { begun: Instant::now(), now: 0, seconds: Default::default() }
    }
}

impl Window {
    pub(super) fn count(&mut self, succeeded: bool) {
        self.forget();
        let (calls, failures) = &mut self.seconds[(self.now % LENGTH) as usize];
        *calls += 1;
        *failures += u32::from(!succeeded);
    }

    /// The number of calls, and the number of failures among them.
    pub(super) fn sums(&self) -> (u32, u32) {
        self.seconds.iter().fold((0, 0), |sums, of| (sums.0 + of.0, sums.1 + of.1))
    }

    fn forget(&mut self) {
        let now = self.begun.elapsed().as_secs();
        for second in (self.now + 1..=now).rev().take(LENGTH as usize) {
            self.seconds[(second % LENGTH) as usize] = (0, 0);
        }
        self.now = now;
    }
}
