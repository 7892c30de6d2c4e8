//! What became of the latest calls.

use tokio::time::Instant;

/// Long enough for enough calls where there are few, short enough to forget what is over.
const LENGTH: u64 = 10;

/// Calls and failures of the last seconds, one place a second.
pub(super) struct Window {
    begun: Instant,
    /// The second that was counted in last, since the beginning.
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

    /// Calls, and how many of them failed.
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
