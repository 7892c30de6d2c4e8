//! Deadlines: set at the edge, inherited by every call made for the same request, sent on as the budget that remains.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::{Error, Kind};

tokio::task_local! {
    static DEADLINE: Instant;
}

/// The time that remains of the current request's deadline; `None` outside of a request.
pub fn remaining() -> Option<Duration> {
    DEADLINE.try_with(|deadline| deadline.saturating_duration_since(Instant::now())).ok()
}

/// Runs a future with its own time limit; an earlier deadline around it stays in force.
///
/// # Errors
/// [`Kind::DeadlineExceeded`] when the time is over; the future is then dropped.
pub async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Error> {
    let own = Instant::now() + limit;
    let deadline = DEADLINE.try_with(|outer| own.min(*outer)).unwrap_or(own);
    let bounded = DEADLINE.scope(deadline, timeout_at(deadline, future));
    bounded.await.map_err(|_| Error::new(Kind::DeadlineExceeded, "the time ran out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_inner_limit_cannot_outlive_the_outer_one() {
        let begun = Instant::now();
        let outer = within(Duration::from_secs(1), async {
            assert_eq!(remaining(), Some(Duration::from_secs(1)));
            within(Duration::from_secs(60), std::future::pending::<()>()).await
        });
        // Both deadlines end at the same moment; the inner one is polled first.
        let inner =
            outer.await.expect("the inner one has ended in time").expect_err("it never ends");
        assert_eq!(inner.kind(), Kind::DeadlineExceeded);
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
        assert_eq!(remaining(), None);
    }
}
