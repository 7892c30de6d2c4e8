//! Evaluates queries on threads of their own, a few at a time: lens takes spans on one thread, which must not wait for a query.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use promql::{Error, Options, Select, Storage, Visit};
use timeseries::Store;
use tokio::{
    sync::{Semaphore, TryAcquireError},
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::answer::{Kind, Refusal};

/// Queries that are evaluated at once. More would not be faster on two cores, and each may hold [`MOST_SAMPLES`].
const AT_ONCE: usize = 2;

/// Queries that are evaluated or wait for their turn: several dashboards that refresh at the same moment.
const ADMITTED: usize = 128;

/// The time that a query may take, its wait included. A query of a dashboard takes some milliseconds.
const LONGEST: Duration = Duration::from_secs(10);

/// The samples that a query may hold: 16 MB. All that lens keeps of one metric fits; all of all metrics does not.
const MOST_SAMPLES: usize = 1_000_000;

/// The step of subqueries that name none: the interval at which the rules are evaluated.
const SUBQUERY_STEP: Duration = Duration::from_secs(5);

/// Evaluates queries over one storage.
pub(super) struct Evaluator {
    store: Arc<Store>,
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Evaluator {
    pub(super) fn new(store: Arc<Store>) -> Self {
        let admitted = Arc::new(Semaphore::new(ADMITTED));
        Self { store, admitted, running: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The limits of a query for which the client waits no longer than this, if it says so.
    pub(super) fn options(timeout: Option<Duration>) -> Options {
        Options {
            max_samples: MOST_SAMPLES,
            subquery_step: SUBQUERY_STEP,
            deadline: timeout.map_or(LONGEST, |timeout| timeout.min(LONGEST)),
            ..Options::default()
        }
    }

    /// Evaluates; `evaluate` gets the storage and the limits, whose deadline is the time that is left. If the client leaves, the
    /// evaluation ends with its next selection.
    pub(super) async fn evaluate<T: Send + 'static>(
        &self,
        mut options: Options,
        evaluate: impl FnOnce(&dyn Storage, &Options) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let end = Instant::now() + options.deadline;
        let place = Arc::clone(&self.admitted).try_acquire_owned();
        let place = place.map_err(|full: TryAcquireError| {
            let text = format!("{ADMITTED} queries are running or waiting ({full}); try again");
            Refusal::new(Kind::Unavailable, text)
        })?;
        let late = || Refusal::query(&Error::Timeout);
        let turn = timeout_at(end, Arc::clone(&self.running).acquire_owned());
        let turn = turn.await.map_err(|_| late())?.map_err(|_| late())?;
        options.deadline = end.saturating_duration_since(Instant::now());
        let left = Arc::new(AtomicBool::new(false));
        let watched = Watched { store: Arc::clone(&self.store), left: Arc::clone(&left) };
        let _guard = Guard(left);
        let running = spawn_blocking(move || {
            let _until_done = (place, turn);
            evaluate(&watched, &options)
        });
        let result = running.await.map_err(|error| {
            tracing::error!(%error, "a query panicked");
            Refusal::new(Kind::Internal, "the evaluation of this query failed; lens has logged why")
        })?;
        result.map_err(|error| Refusal::query(&error))
    }
}

/// Sets the flag when the request is dropped: its client has left.
struct Guard(Arc<AtomicBool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A storage that selects nothing for a client that has left.
struct Watched {
    store: Arc<Store>,
    left: Arc<AtomicBool>,
}

impl Storage for Watched {
    fn select(&self, select: &Select<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.store.select(select, &mut |labels, samples| {
            if self.left.load(Ordering::Relaxed) {
                return Err(Error::Execution("the client has left".to_owned()));
            }
            visit(labels, samples)
        })
    }
}

#[cfg(test)]
mod tests {
    use promql::Labels;
    use tokio::sync::oneshot;

    use super::*;

    fn evaluator() -> Evaluator {
        Evaluator::new(Arc::new(Store::new(timeseries::Options {
            bytes: 1 << 20,
            retention: Duration::from_secs(60),
            series: 100,
        })))
    }

    #[tokio::test]
    async fn a_query_that_cannot_begin_in_time_is_refused() {
        let evaluator = evaluator();
        let _turns = evaluator.running.acquire_many(AT_ONCE as u32).await.unwrap();
        let options = Evaluator::options(Some(Duration::from_millis(1)));
        let result = evaluator.evaluate(options, |_, _| Ok(())).await;
        assert_eq!(result, Err(Refusal::query(&Error::Timeout)));
    }

    #[tokio::test]
    async fn queries_beyond_those_that_may_wait_are_refused_at_once() {
        let evaluator = evaluator();
        let _places = evaluator.admitted.acquire_many(ADMITTED as u32).await.unwrap();
        let result = evaluator.evaluate(Evaluator::options(None), |_, _| Ok(())).await;
        assert!(format!("{result:?}").contains("128 queries are running"), "{result:?}");
    }

    #[tokio::test]
    async fn a_query_has_the_time_that_the_client_allows_and_no_more_than_the_limit() {
        let deadline =
            |timeout: Option<u64>| Evaluator::options(timeout.map(Duration::from_secs)).deadline;
        assert_eq!(deadline(None), LONGEST);
        assert_eq!(deadline(Some(1)), Duration::from_secs(1));
        assert_eq!(deadline(Some(600)), LONGEST);
    }

    #[tokio::test]
    async fn a_panic_in_a_query_is_an_error_of_that_query_alone() {
        let evaluator = evaluator();
        let options = Evaluator::options(None);
        let result = evaluator.evaluate::<()>(options, |_, _| panic!("on purpose")).await;
        assert!(format!("{result:?}").contains("Internal"), "{result:?}");
        assert_eq!(evaluator.evaluate(options, |_, _| Ok(7)).await, Ok(7));
        assert_eq!(evaluator.running.available_permits(), AT_ONCE);
    }

    #[tokio::test]
    async fn the_evaluation_for_a_client_that_left_selects_nothing_more() {
        let evaluator = evaluator();
        let target = Labels::from([("job", "a"), ("instance", "b")]);
        evaluator.store.scrape(&target, 1_000, Duration::ZERO, "x 1\n").unwrap();
        let (started, has_started) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let evaluation = evaluator.evaluate(Evaluator::options(None), move |storage, _| {
            started.send(()).unwrap();
            may_go_on.blocking_recv().unwrap();
            let all = promql::Query::parse("x").unwrap().as_selector().unwrap();
            let select = Select { matchers: &all, from_ms: 0, to_ms: 2_000 };
            done.send(storage.select(&select, &mut |_, _| Ok(()))).unwrap();
            Ok(())
        });
        tokio::select! {
            _ = evaluation => panic!("it waits"),
            begun = has_started => begun.unwrap(),
        }
        go_on.send(()).unwrap();
        assert_eq!(is_done.await.unwrap(), Err(Error::Execution("the client has left".to_owned())));
    }
}
