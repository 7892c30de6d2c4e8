//! Requests and answers on their way through a connection, which learns from them whether it waits for the client.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, extract::ConnectInfo};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tower::{Service, ServiceExt};

use super::{
    connection::{Connection, Exchange},
    upgrade::Upgrades,
};

/// A service that reports its exchanges to its connection.
pub(super) struct Tracked<S> {
    service: S,
    connection: Arc<Connection>,
    upgrades: Upgrades,
}

impl<S> Tracked<S> {
    pub(super) fn new(service: S, connection: Arc<Connection>, upgrades: Upgrades) -> Self {
        Self { service, connection, upgrades }
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for Tracked<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let multiplexed = request.version() == Version::HTTP_2;
        let exchange = Arc::new(Exchange::begin(&self.connection, multiplexed));
        let service = self.service.clone();
        let peer = self.connection.stream.peer_addr().ok().map(ConnectInfo);
        let hold = request.headers().contains_key(header::UPGRADE).then(|| self.upgrades.hold());
        Box::pin(async move {
            let mut request = request.map(|body| match body.is_end_stream() {
                true => Body::empty(),
                false => Body::new(Arrival { body, exchange: Arc::clone(&exchange), ended: false }),
            });
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            if let Some(hold) = hold {
                request.extensions_mut().insert(hold);
            }
            let Ok(response) = service.oneshot(request).await;
            exchange.works();
            if is_live(response.headers()) {
                exchange.streams();
            }
            Ok(response.map(|body| Answer { body, exchange, probed: 0 }))
        })
    }
}

fn is_live(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// A request's body.
struct Arrival {
    body: Incoming,
    exchange: Arc<Exchange>,
    ended: bool,
}

impl HttpBody for Arrival {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(task);
        match &polled {
            Poll::Pending => self.exchange.waits_for_client(),
            Poll::Ready(frame) => {
                self.ended |= frame.is_none();
                self.exchange.works();
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.exchange.leaves_unread();
        }
        self.exchange.works();
    }
}

/// An answer's body.
pub(super) struct Answer {
    body: Body,
    exchange: Arc<Exchange>,
    probed: u64,
}

/// A comment of a live stream: <https://html.spec.whatwg.org/multipage/server-sent-events.html>
const PROBE: &[u8] = b":\n\n";

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        this.exchange.works();
        let polled = Pin::new(&mut this.body).poll_frame(task);
        if polled.is_ready() {
            // The client has to read this frame now: hyper polls the next one after it was written.
            this.exchange.waits_for_client();
        } else if this.exchange.has_to_probe(&mut this.probed, task.waker()) {
            this.exchange.waits_for_client();
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PROBE)))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
