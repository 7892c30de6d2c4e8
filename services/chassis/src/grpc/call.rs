//! The telemetry of one call, from its start to the last byte of its answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::{
    Context, KeyValue,
    trace::{Status as SpanStatus, TraceContextExt},
};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Code, Status};

use super::code_name;
use crate::{
    Error, Kind,
    metrics::{HistogramVec, IntGauge},
};

/// Ends the span and measures the call when it ends; a call that is dropped before counts as cancelled.
pub(super) struct Call {
    pub(super) context: Context,
    method: String,
    started: Instant,
    durations: HistogramVec,
    active: IntGauge,
    server: bool,
    done: bool,
}

impl Call {
    pub(super) fn start(
        context: Context,
        method: String,
        durations: &HistogramVec,
        active: &IntGauge,
        server: bool,
    ) -> Self {
        active.inc();
        let (durations, active) = (durations.clone(), active.clone());
        Self { context, method, started: Instant::now(), durations, active, server, done: false }
    }

    pub(super) fn finish(&mut self, code: Code) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.active.dec();
        let name = code_name(code);
        // The name of an unknown method comes from the caller, so it must not become a label.
        let method = if code == Code::Unimplemented { "_OTHER" } else { &self.method };
        let elapsed = self.started.elapsed().as_secs_f64();
        let attached = self.context.clone().attach();
        self.durations.with(&["grpc", method, name]).observe(elapsed);
        let side = if self.server { "answered" } else { "made" };
        tracing::debug!(
            rpc.method = method,
            rpc.response.status_code = name,
            duration_ms = elapsed * 1e3,
            "call {side}"
        );
        drop(attached);
        let span = self.context.span();
        span.set_attribute(KeyValue::new("rpc.response.status_code", name));
        if is_error(code, self.server) {
            span.set_attribute(KeyValue::new("error.type", name));
            span.set_status(SpanStatus::error(""));
        }
        span.end();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}

/// On the server's side, only statuses that are the server's fault are errors.
/// <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/#grpc-status>
fn is_error(code: Code, server: bool) -> bool {
    let fault = matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    );
    if server { fault } else { code != Code::Ok }
}

/// The status in headers or trailers.
pub(super) fn status(headers: &HeaderMap) -> Option<Code> {
    let value = headers.get("grpc-status")?.to_str().ok()?;
    Some(value.parse().map_or(Code::Unknown, Code::from_i32))
}

/// The body of an answer. It ends the call with the status in the trailers.
pub(super) struct Answer<B> {
    body: B,
    call: Option<Call>,
    /// When a stream that has not ended is cut off.
    deadline: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl<B> Answer<B> {
    pub(super) fn new(body: B, call: Call, until: Option<Instant>) -> Self {
        let deadline = until.map(|until| Box::pin(sleep_until(until)));
        Self { body, call: Some(call), deadline, over: false }
    }

    /// The trailers that end a stream whose time is over.
    fn too_late(&mut self) -> HeaderMap {
        self.over = true;
        let late = Error::new(Kind::DeadlineExceeded, "the time ran out before the stream ended");
        self.end(late.kind().code());
        let status = Status::from(late).into_http::<()>();
        let mut trailers = status.into_parts().0.headers;
        trailers.remove(header::CONTENT_TYPE);
        trailers
    }

    fn end(&mut self, code: Code) {
        if let Some(mut call) = self.call.take() {
            call.finish(code);
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.body).poll_frame(task);
        let late = |deadline: &mut Pin<Box<Sleep>>| deadline.as_mut().poll(task).is_ready();
        if polled.is_pending() && self.deadline.as_mut().is_some_and(late) {
            return Poll::Ready(Some(Ok(Frame::trailers(self.too_late()))));
        }
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.end(status(trailers).unwrap_or(Code::Unknown));
                }
            }
            Poll::Ready(Some(Err(_))) => self.end(Code::Unavailable),
            Poll::Ready(None) => self.end(Code::Unknown),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
