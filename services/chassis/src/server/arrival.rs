//! The bodies of requests: read completely, in limited memory and time, before a request counts as in flight.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// The time limit for a body to arrive: enough for 64 KiB over a slow line.
pub(crate) const ARRIVAL: Duration = Duration::from_secs(10);

/// The bodies that are arriving at one port.
#[derive(Clone)]
pub(crate) struct Arrivals(Arc<Shared>);

struct Shared {
    /// The most bytes of all bodies together.
    limit: usize,
    used: AtomicUsize,
    /// Oldest first.
    bodies: Mutex<Vec<Arriving>>,
}

#[derive(Clone)]
struct Arriving {
    bytes: Arc<AtomicUsize>,
    give_way: CancellationToken,
}

/// Why a body is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It did not arrive in time.
    Late,
    /// It was the oldest when the memory for bodies was used up.
    Crowded,
    /// The client ended it early.
    Broken,
}

impl Arrivals {
    /// `room` is the most bytes of all bodies together.
    pub(crate) fn new(limit: usize) -> Self {
        let (used, bodies) = (AtomicUsize::new(0), Mutex::default());
        Self(Arc::new(Shared { limit, used, bodies }))
    }

    /// Reads a body. If it is longer than `limit`, returns its first `limit + 1` bytes, so that the handler can refuse it.
    pub(crate) async fn read<B>(
        &self,
        body: B,
        limit: usize,
        until: Instant,
    ) -> Result<Bytes, Missing>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let place = self.enter();
        tokio::select! {
            read = timeout_at(until, place.collect(body, limit)) => read.unwrap_or(Err(Missing::Late)),
            () = place.arriving.give_way.cancelled() => Err(Missing::Crowded),
        }
    }

    fn enter(&self) -> Place<'_> {
        let arriving = Arriving { bytes: Arc::default(), give_way: CancellationToken::new() };
        self.0.bodies.lock().push(arriving.clone());
        Place { arrivals: self, arriving }
    }

    /// If the memory is used up, the oldest bodies are given up: the body of a fast client is never the oldest for long.
    fn take(&self, bytes: usize) {
        let used = self.0.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let mut over = used.saturating_sub(self.0.limit);
        for body in self.0.bodies.lock().iter() {
            if over == 0 {
                break;
            }
            let held = body.bytes.load(Ordering::Relaxed);
            if held > 0 {
                // A body that is given up already counts as removed.
                body.give_way.cancel();
                over = over.saturating_sub(held);
            }
        }
    }
}

/// The entry of a body that is arriving.
struct Place<'a> {
    arrivals: &'a Arrivals,
    arriving: Arriving,
}

impl Place<'_> {
    async fn collect<B>(&self, mut body: B, limit: usize) -> Result<Bytes, Missing>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Missing::Broken)?.into_data() else { continue };
            let data = &data[..data.len().min(limit + 1 - whole.len())];
            self.arriving.bytes.fetch_add(data.len(), Ordering::Relaxed);
            self.arrivals.take(data.len());
            whole.extend_from_slice(data);
            if whole.len() > limit {
                break;
            }
        }
        Ok(whole.freeze())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let bytes = self.arriving.bytes.load(Ordering::Relaxed);
        self.arrivals.0.used.fetch_sub(bytes, Ordering::Relaxed);
        self.arrivals
            .0
            .bodies
            .lock()
            .retain(|body| !Arc::ptr_eq(&body.bytes, &self.arriving.bytes));
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    type Piece = Result<Frame<Bytes>, Infallible>;

    fn pieces(sizes: &[usize]) -> Vec<Piece> {
        sizes.iter().map(|size| Ok(Frame::data(Bytes::from(vec![b'x'; *size])))).collect()
    }

    fn whole(sizes: &[usize]) -> impl Body<Data = Bytes> + Unpin + use<> {
        StreamBody::new(stream::iter(pieces(sizes)))
    }

    /// A body that sends these pieces and never ends.
    fn stuck(sizes: &[usize]) -> impl Body<Data = Bytes> + Unpin + use<> {
        use futures::StreamExt;
        StreamBody::new(stream::iter(pieces(sizes)).chain(stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_comes_whole_or_too_late_and_never_longer_than_the_limit() {
        let arrivals = Arrivals::new(1000);
        let until = || Instant::now() + ARRIVAL;
        assert_eq!(arrivals.read(whole(&[10, 20]), 64, until()).await.unwrap().len(), 30);
        assert_eq!(arrivals.read(whole(&[60, 60]), 64, until()).await.unwrap().len(), 65);
        assert_eq!(arrivals.read(stuck(&[10]), 64, until()).await, Err(Missing::Late));
        assert_eq!(arrivals.0.used.load(Ordering::Relaxed), 0);
        assert!(arrivals.0.bodies.lock().is_empty());
    }

    #[tokio::test]
    async fn where_memory_runs_out_the_slowest_gives_way_to_the_next() {
        let arrivals = Arrivals::new(100);
        let until = Instant::now() + ARRIVAL;
        let slow = arrivals.read(stuck(&[60]), 64, until);
        let quick = async {
            tokio::task::yield_now().await;
            arrivals.read(whole(&[60]), 64, until).await
        };
        let (slow, quick) = tokio::join!(slow, quick);
        assert_eq!(slow, Err(Missing::Crowded));
        assert_eq!(quick.unwrap().len(), 60);
    }
}
