//! Retries: how often and how long an event is tried, the backoff in between, and when a failure does not count.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use opentelemetry::{Context, KeyValue, trace::TraceContextExt};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{dead_letter::Reason, subscription::SubscriptionContext};
use crate::{
    database::{self, Database},
    error::chain,
    retry,
};

/// Why an attempt failed.
#[derive(Debug)]
pub(super) struct Failure {
    kind: Kind,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Temporary,
    /// The call was rejected without being tried; retry after this time.
    Postponed(Duration),
    Permanent,
    Panicked,
    Abandoned,
}

impl Failure {
    /// An error that a handler returned.
    pub(super) fn of_handler(error: impl Into<crate::Error>) -> Self {
        let error = error.into();
        let kind = match error.postponed() {
            Some(wait) => Kind::Postponed(wait),
            None if error.kind().is_temporary() => Kind::Temporary,
            None => Kind::Permanent,
        };
        Self { kind, text: chain(&error) }
    }

    /// An error of our own statements on the inbox and the transaction. The event did not cause it, so it is retried.
    pub(super) fn of_database(error: database::Error) -> Self {
        Self { kind: Kind::Temporary, text: chain(&error) }
    }

    /// The attempt was not begun: this process stops, or the partition moves.
    pub(super) fn abandoned() -> Self {
        Self { kind: Kind::Abandoned, text: "abandoned".into() }
    }

    pub(super) fn undecodable(text: String) -> Self {
        Self { kind: Kind::Permanent, text }
    }

    pub(super) fn is_permanent(&self) -> bool {
        self.kind == Kind::Permanent
    }

    pub(super) fn reason(&self) -> Reason {
        match self.kind {
            Kind::Temporary | Kind::Postponed(_) | Kind::Abandoned => Reason::RetriesExhausted,
            Kind::Permanent => Reason::Rejected,
            Kind::Panicked => Reason::Panicked,
        }
    }

    fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or(panic.downcast_ref::<String>().map(String::as_str));
        Self { kind: Kind::Panicked, text: format!("panicked: {}", text.unwrap_or("no message")) }
    }
}

/// Waits for this time and a random while longer. Events that wait for the same moment are thus spread, so that the first of them
/// can find out for all whether the call works again.
async fn postpone(wait: Duration) {
    let spread = MAX_SPREAD.mul_f64(rand::random::<f64>());
    sleep(wait + spread).await;
}

/// The longest random addition: as long as most answers take.
const MAX_SPREAD: Duration = Duration::from_millis(200);

/// How the attempts ended.
pub(super) enum RetryOutcome<T> {
    /// One of them succeeded.
    Done(T),
    /// The event will not succeed. The number is that of the attempts.
    Failed(Failure, u32),
    /// The event is left to the next owner of the partition: this process stops, or the partition moves.
    Abandoned,
}

/// Runs the attempts at one event or one batch.
pub(super) struct RetryLoop<'a> {
    pub(super) subscription: &'a SubscriptionContext,
    pub(super) database: Option<&'a Database>,
    pub(super) cancel: &'a CancellationToken,
    /// Its span gets an event for each failure.
    pub(super) context: &'a Context,
}

impl RetryLoop<'_> {
    /// Tries until an attempt succeeds, fails permanently, or was the last one allowed. While our own database does not answer,
    /// or a circuit breaker is open, failures do not count: an outage must not make a dead letter of every event. The events
    /// wait, and with them the partition, which shows in its lag and in the age of its oldest event.
    pub(super) async fn run<T, F>(
        &self,
        max_attempts: u32,
        attempt: impl Fn() -> F,
    ) -> RetryOutcome<T>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let mut attempts = 1;
        loop {
            let failure = match self.once(attempt()).await {
                Ok(value) => return RetryOutcome::Done(value),
                Err(failure) => failure,
            };
            match failure.kind {
                Kind::Abandoned => return RetryOutcome::Abandoned,
                Kind::Postponed(wait) => {
                    let why = vec![KeyValue::new("exception.message", failure.text)];
                    self.context.span().add_event("attempt postponed", why);
                    if self.cancel.run_until_cancelled(postpone(wait)).await.is_none() {
                        return RetryOutcome::Abandoned;
                    }
                    continue;
                }
                Kind::Temporary | Kind::Permanent | Kind::Panicked => {}
            }
            self.record_failure(attempts, &failure);
            if failure.kind == Kind::Permanent {
                return RetryOutcome::Failed(failure, attempts);
            }
            let Some(waited) = self.cancel.run_until_cancelled(self.until_up()).await else {
                return RetryOutcome::Abandoned;
            };
            if !waited {
                if attempts >= max_attempts {
                    return RetryOutcome::Failed(failure, attempts);
                }
                attempts += 1;
            }
            self.subscription.metrics.retries.inc();
            if self.cancel.run_until_cancelled(sleep(self.pause(attempts))).await.is_none() {
                return RetryOutcome::Abandoned;
            }
        }
    }

    async fn once<T>(
        &self,
        attempt: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let limit = self.subscription.settings.attempt_timeout;
        match timeout(limit, AssertUnwindSafe(attempt).catch_unwind()).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => {
                self.subscription.metrics.panics.inc();
                Err(Failure::panicked(&*panic))
            }
            Err(_) => {
                Err(Failure { kind: Kind::Temporary, text: format!("no end within {limit:?}") })
            }
        }
    }

    async fn until_up(&self) -> bool {
        match self.database {
            Some(database) => database.until_up().await,
            None => false,
        }
    }

    /// Full jitter: <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
    fn pause(&self, attempts: u32) -> Duration {
        let settings = &self.subscription.settings;
        let earlier = attempts.saturating_sub(2);
        retry::jittered(retry::pause(settings.backoff, settings.backoff_cap, earlier))
    }

    fn record_failure(&self, attempts: u32, failure: &Failure) {
        let attributes = vec![
            KeyValue::new("mesh.attempt", i64::from(attempts)),
            KeyValue::new("exception.message", failure.text.clone()),
        ];
        self.context.span().add_event("attempt failed", attributes);
    }
}
