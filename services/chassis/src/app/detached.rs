//! Work that is finished even if the request that began it is dropped.

use std::{future::Future, sync::Arc};

use opentelemetry::{Context, trace::FutureExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{Error, Kind, metrics::IntCounter};

/// The most pieces of work at once: a few times the edge's limit of requests, since some work goes on after its request has
/// ended.
const MOST: usize = 512;

/// Runs work in tasks of the [`App`](super::App), apart from the requests that begin it. The drain waits for them.
///
/// A request's future is dropped when its client leaves or its deadline passes. Work that must not stop between two steps is
/// run here, such as a call that reserves stock and the transaction that writes the order.
#[derive(Clone)]
pub struct Detached {
    tasks: TaskTracker,
    in_flight: Arc<Semaphore>,
    draining: CancellationToken,
    panics: IntCounter,
}

impl Detached {
    pub(super) fn new(draining: CancellationToken, panics: IntCounter) -> Self {
        Self {
            tasks: TaskTracker::new(),
            in_flight: Arc::new(Semaphore::new(MOST)),
            draining,
            panics,
        }
    }

    /// An instance that belongs to no [`App`](super::App): for tests of a service's use cases.
    ///
    /// # Errors
    /// The registry already has these metrics.
    pub fn for_tests(registry: &crate::metrics::Registry) -> anyhow::Result<Self> {
        let panics = registry.register("mesh_panics_total", "Panics that were caught.", &[])?;
        Ok(Self::new(CancellationToken::new(), panics))
    }

    /// Runs the work to its end, also if this future is dropped. The work belongs to the caller's trace, and has no deadline
    /// but its own.
    ///
    /// # Errors
    /// [`Kind::Exhausted`] if too much work is running already, [`Kind::Internal`] if the work panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        let Ok(place) = Arc::clone(&self.in_flight).try_acquire_owned() else {
            return Err(Error::new(Kind::Exhausted, "too much is being done at once"));
        };
        let panics = self.panics.clone();
        self.begin(work, Some(place)).await.map_err(|panicked| {
            panics.inc();
            Error::new(Kind::Internal, "panicked").source(panicked)
        })
    }

    /// Starts work that no request waits for. The work is dropped when the drain begins, so it must be safe to drop at any
    /// await.
    pub fn begin_until_drain(&self, work: impl Future<Output = ()> + Send + 'static) {
        let draining = self.draining.clone();
        let work = async move { draining.run_until_cancelled(work).await };
        drop(self.begin(work, None));
    }

    fn begin<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
        place: Option<OwnedSemaphorePermit>,
    ) -> tokio::task::JoinHandle<T> {
        let work = async move {
            let done = work.await;
            drop(place);
            done
        };
        self.tasks.spawn(work.with_context(Context::current()).in_current_span())
    }

    /// Returns when all work has ended. No new work begins once the servers have drained.
    pub(super) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{sync::oneshot, time::timeout};

    use super::*;
    use crate::metrics::Registry;

    fn detached() -> Detached {
        Detached::for_tests(&Registry::new()).unwrap()
    }

    #[tokio::test]
    async fn work_ends_although_its_request_is_gone_and_the_drain_waits_for_it() {
        let detached = detached();
        let (release, released) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let request = detached.run(async move {
            released.await.ok();
            done.send(()).ok();
        });
        // The request is polled once and dropped, as when its client leaves.
        assert!(timeout(Duration::ZERO, request).await.is_err());
        assert!(timeout(Duration::ZERO, detached.finish()).await.is_err());
        release.send(()).unwrap();
        detached.finish().await;
        is_done.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_ours_and_counted() {
        let detached = detached();
        let error = detached.run(async { panic!("at the disco") }).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Internal);
        assert_eq!(detached.panics.get(), 1);
    }

    #[tokio::test]
    async fn more_work_than_there_is_room_for_is_refused() {
        let detached = detached();
        let place = Arc::clone(&detached.in_flight).try_acquire_many_owned(MOST as u32).unwrap();
        assert_eq!(detached.run(async {}).await.unwrap_err().kind(), Kind::Exhausted);
        drop(place);
        detached.run(async {}).await.unwrap();
    }

    #[tokio::test]
    async fn work_that_no_request_waits_for_stops_at_the_drain() {
        let detached = detached();
        detached.begin_until_drain(std::future::pending());
        detached.draining.cancel();
        detached.finish().await;
    }
}
