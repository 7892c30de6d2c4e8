//! Backoff before a retry: exponential, with full jitter.
//! <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>

use std::{error::Error, future::Future, time::Duration};

use tokio::time::sleep;

/// Returns the pause before a retry: `first`, then twice as long each time, and never longer than `longest`. `earlier` is the number
/// of retries before this one.
pub fn pause(first: Duration, longest: Duration, earlier: u32) -> Duration {
    first.saturating_mul(2u32.saturating_pow(earlier)).min(longest)
}

/// Returns a random time up to `longest`, so that many callers that failed together do not retry together.
pub fn jittered(longest: Duration) -> Duration {
    longest.mul_f64(rand::random::<f64>())
}

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

    /// Returns the next wait: a random time up to the ceiling, which doubles.
    pub fn next_wait(&mut self) -> Duration {
        let wait = jittered(self.ceiling);
        self.ceiling = pause(self.ceiling, self.longest, 1);
        wait
    }

    /// Sleeps for the next wait.
    pub async fn wait(&mut self) {
        sleep(self.next_wait()).await;
    }
}

/// Repeats `work` forever: after the interval, or at once if it returns `true`, since there is more to do.
///
/// While the work fails, the waits grow up to ten intervals, and each outage is logged once: "cannot {what}, trying again".
/// Never returns; the result is that of a task of [`App`](crate::App::spawn).
pub async fn every<E, Work>(
    interval: Duration,
    what: &'static str,
    mut work: impl FnMut() -> Work,
) -> anyhow::Result<()>
where
    E: Error + 'static,
    Work: Future<Output = Result<bool, E>>,
{
    let mut outage: Option<Backoff> = None;
    loop {
        match work().await {
            Ok(there_is_more) => {
                outage = None;
                if !there_is_more {
                    sleep(interval).await;
                }
            }
            Err(error) => {
                if outage.is_none() {
                    tracing::warn!(error = &error as &dyn Error, "cannot {what}, trying again");
                }
                outage.get_or_insert_with(|| Backoff::new(interval, interval * 10)).wait().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, io};

    use tokio::time::timeout;

    use super::*;

    /// The number of runs in so many seconds and a half, of work that returns this.
    async fn runs(seconds: u64, result: impl Fn(u32) -> io::Result<bool>) -> u32 {
        let (runs, interval) = (Cell::new(0), Duration::from_secs(1));
        let work = || {
            runs.set(runs.get() + 1);
            let result = result(runs.get());
            async { result }
        };
        timeout(Duration::from_millis(seconds * 1000 + 500), every(interval, "count", work))
            .await
            .unwrap_err();
        runs.get()
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_repeated_after_the_interval_and_at_once_if_there_is_more() {
        assert_eq!(runs(5, |_| Ok(false)).await, 6);
        assert_eq!(runs(5, |run| Ok(run <= 100)).await, 106);
    }

    #[tokio::test(start_paused = true)]
    async fn failing_work_is_repeated_more_and_more_rarely_and_normally_afterwards() {
        let failing = |_| Err(io::Error::other("away"));
        assert!((10..300).contains(&runs(300, failing).await), "within half an interval and ten");
        let recovered = |run| if run < 10 { Err(io::Error::other("away")) } else { Ok(false) };
        assert!(runs(300, recovered).await > 200);
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(300));
        for ceiling in [50, 100, 200, 300, 300] {
            assert_eq!(backoff.ceiling, Duration::from_millis(ceiling));
            assert!(backoff.next_wait() <= Duration::from_millis(ceiling));
        }
    }
}
