//! Bodies of requests: read whole, in bounded memory and time, before a request takes a place among those that are answered.

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

/// How long a body may take to arrive: 64 KiB over the slowest line that anybody has.
pub(crate) const ARRIVAL: Duration = Duration::from_secs(10);

/// The bodies that are arriving at one port.
#[derive(Clone)]
pub(crate) struct Arrivals(Arc<Shared>);

struct Shared {
    /// Most bytes of all of them together.
    room: usize,
    used: AtomicUsize,
    /// In the order in which they began.
    bodies: Mutex<Vec<Arriving>>,
}

#[derive(Clone)]
struct Arriving {
    bytes: Arc<AtomicUsize>,
    give_way: CancellationToken,
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It took too long.
    Late,
    /// It took longer than others, whose memory it held.
    Crowded,
    /// The client ended it early.
    Broken,
}

impl Arrivals {
    /// `room`: most bytes of all of them together.
    pub(crate) fn new(room: usize) -> Self {
        let (used, bodies) = (AtomicUsize::new(0), Mutex::default());
        Self(Arc::new(Shared { room, used, bodies }))
    }

    /// The body, or its beginning if it is longer than `limit`, which is one byte more: for the handler's own refusal.
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

    /// Where memory runs out, the oldest gives way: a quick client is never the oldest for long.
    fn take(&self, bytes: usize) {
        let used = self.0.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let mut over = used.saturating_sub(self.0.room);
        for body in self.0.bodies.lock().iter() {
            if over == 0 {
                break;
            }
            let held = body.bytes.load(Ordering::Relaxed);
            if held > 0 {
                // One that gives way already counts as gone.
                body.give_way.cancel();
                over = over.saturating_sub(held);
            }
        }
    }
}

/// A body's place among those that are arriving.
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

    /// Sends this much and never ends.
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
