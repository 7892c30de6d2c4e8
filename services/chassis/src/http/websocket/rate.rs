//! How often a client may send: a token bucket.

use tokio::time::Instant;

/// A limit of messages over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The messages of a second, in the long run.
    pub per_second: u32,
    /// The most messages at once.
    pub burst: u32,
}

/// What is left of a [`Rate`].
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    rate: Rate,
    left: f64,
    counted: Instant,
}

impl Budget {
    /// A full budget.
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, left: f64::from(rate.burst), counted: now }
    }

    /// Whether one more message is within the rate.
    pub fn take(&mut self, now: Instant) -> bool {
        let grown =
            now.duration_since(self.counted).as_secs_f64() * f64::from(self.rate.per_second);
        self.left = (self.left + grown).min(f64::from(self.rate.burst));
        self.counted = now;
        let within = self.left >= 1.0;
        if within {
            self.left -= 1.0;
        }
        within
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_budget_has_its_burst_at_once_and_grows_by_its_rate() {
        let now = Instant::now();
        let mut budget = Budget::new(Rate { per_second: 2, burst: 3 }, now);
        assert_eq!([(); 4].map(|()| budget.take(now)), [true, true, true, false]);
        let later = now + Duration::from_millis(500);
        assert_eq!([(); 2].map(|()| budget.take(later)), [true, false]);
        let much_later = now + Duration::from_secs(60);
        assert_eq!([(); 4].map(|()| budget.take(much_later)), [true, true, true, false]);
    }
}
