//! A token bucket. Pure: the time is a parameter.

use tokio::time::Instant;

/// How many seconds' requests may come at once after a quiet time: a page that is closed sends what it has left.
const BURST_SECONDS: u32 = 2;

/// Lets a number of requests a second pass.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: u32,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self { rate, tokens: f64::from(rate * BURST_SECONDS), filled: now }
    }

    /// Requests a second.
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// Whether a request may pass now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        let most = f64::from(self.rate * BURST_SECONDS);
        (self.tokens, self.filled) =
            ((self.tokens + seconds * f64::from(self.rate)).min(most), now);
        let may = self.tokens >= 1.0;
        if may {
            self.tokens -= 1.0;
        }
        may
    }
}
