//! What a subscriber receives.

use std::{
    marker::PhantomData,
    pin::Pin,
    task::{self, Poll, ready},
};

use futures::{Stream, StreamExt, stream::BoxStream};
use opentelemetry::{
    Context, KeyValue,
    trace::{Status, TraceContextExt},
};

use super::{metrics::Metrics, trace};
use crate::contract::Message;

/// Live messages as they arrive. The stream ends when the client is drained; dropping it unsubscribes.
pub struct Subscription<M> {
    messages: BoxStream<'static, async_nats::Message>,
    template: &'static str,
    metrics: Metrics,
    body: PhantomData<fn() -> M>,
}

/// One live message.
pub struct Live<M> {
    /// The decoded message.
    pub body: M,
    /// The message's trace, with the span `process <subject>` of the subscriber; the span ends when this value is dropped.
    pub context: Context,
    _span: Ended,
}

/// Ends the span of a context when it is dropped.
struct Ended(Context);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.span().end();
    }
}

impl<M: Message + Default> Subscription<M> {
    pub(super) fn new(
        messages: BoxStream<'static, async_nats::Message>,
        template: &'static str,
        metrics: Metrics,
    ) -> Self {
        Self { messages, template, metrics, body: PhantomData }
    }

    /// `None` for a message that cannot be decoded: it cannot be returned to a sender, and the next message may be valid.
    fn open(&self, message: async_nats::Message) -> Option<Live<M>> {
        let context = trace::received(&message, self.template);
        let span = Ended(context.clone());
        match M::decode(message.payload) {
            Ok(body) => Some(Live { body, context, _span: span }),
            Err(error) => {
                context.span().set_attribute(KeyValue::new("error.type", "undecodable"));
                context.span().set_status(Status::error(error.to_string()));
                self.metrics.dropped_total.with_label_values(&["undecodable"]).inc();
                let _current = context.attach();
                tracing::warn!(subject = %message.subject, %error, "a live message cannot be read and is skipped");
                None
            }
        }
    }
}

impl<M: Message + Default> Stream for Subscription<M> {
    type Item = Live<M>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Live<M>>> {
        loop {
            let Some(message) = ready!(self.messages.poll_next_unpin(context)) else {
                return Poll::Ready(None);
            };
            if let Some(live) = self.open(message) {
                return Poll::Ready(Some(live));
            }
        }
    }
}
