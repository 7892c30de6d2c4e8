//! Backoff before a retry: exponential, with full jitter.
//! <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>

use std::time::Duration;

use tokio::time::sleep;

/// A growing backoff.
#[derive(Clone, Debug)]
pub struct Backoff {
    ceiling: Duration,
    longest: Duration,
}

impl Backoff {
    /// Creates a backoff whose waits are at most `first`, then twice as long each time, and never longer than `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { ceiling: first.min(longest), longest }
    }

    /// The next wait: a random time up to the ceiling, so that many callers that failed together do not retry together.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.ceiling.mul_f64(rand::random::<f64>());
        self.ceiling = (self.ceiling * 2).min(self.longest);
        wait
    }

    /// Sleeps for the next wait.
    pub async fn wait(&mut self) {
        sleep(self.next_wait()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(300));
        for ceiling in [50, 100, 200, 300, 300] {
            assert_eq!(backoff.ceiling, Duration::from_millis(ceiling));
            assert!(backoff.next_wait() <= Duration::from_millis(ceiling));
        }
    }
}
