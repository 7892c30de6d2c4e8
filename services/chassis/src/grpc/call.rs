//! One call as telemetry sees it, from its start to the last byte of its answer.

use std::{
    pin::Pin,
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use opentelemetry::{
    Context, KeyValue,
    trace::{Status, TraceContextExt},
};
use tokio::time::Instant;
use tonic::Code;

use super::code_name;
use crate::metrics::{HistogramVec, IntGauge};

/// Ends the span and counts the call, whichever way it ends; dropped early, it was cancelled.
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
        // A method that nobody has is the caller's word, not ours.
        let method = if code == Code::Unimplemented { "_OTHER" } else { &self.method };
        let attached = self.context.clone().attach();
        self.durations.with(&["grpc", method, name]).observe(self.started.elapsed().as_secs_f64());
        drop(attached);
        let span = self.context.span();
        span.set_attribute(KeyValue::new("rpc.response.status_code", name));
        if is_error(code, self.server) {
            span.set_attribute(KeyValue::new("error.type", name));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}

/// On the server's side only what is the server's fault.
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

/// The status that headers or trailers tell.
pub(super) fn status(headers: &HeaderMap) -> Option<Code> {
    let value = headers.get("grpc-status")?.to_str().ok()?;
    Some(value.parse().map_or(Code::Unknown, Code::from_i32))
}

/// An answer's body that ends its call: the status is in the trailers.
pub(super) struct Answer<B> {
    body: B,
    call: Option<Call>,
}

impl<B> Answer<B> {
    pub(super) fn new(body: B, call: Call) -> Self {
        Self { body, call: Some(call) }
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
        let polled = Pin::new(&mut self.body).poll_frame(task);
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
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
