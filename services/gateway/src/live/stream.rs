//! The live stream of one client.

use std::{collections::VecDeque, future, time::Duration};

use chassis::deadline;
use futures::{StreamExt, stream::BoxStream};
use proto::values::{CustomerId, OrderId};
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument, Span};

use super::{Live, Slot};
use crate::{
    domain::{Cursor, Revision},
    outbound::{LiveMessage, StatusUpdate, Update},
    resources::{Activity, Order, StatusChange},
};

/// A read that takes longer is abandoned: the next one follows soon, and the drain must not wait for a stream.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// An event of the stream.
pub(crate) enum StreamEvent {
    /// The order took a status.
    Status(StatusChange),
    /// Something else happened to it.
    Activity(Activity),
}

/// The stream of one order: each status once, and in order.
pub(crate) struct OrderStream {
    live: Live,
    customer: CustomerId,
    order_id: OrderId,
    trace_id: Option<String>,
    cursor: Cursor,
    /// Whether the order's last status is queued or sent.
    ended: bool,
    queue: VecDeque<StreamEvent>,
    /// `None` while there is no subscription.
    messages: Option<BoxStream<'static, LiveMessage>>,
    next_read: Instant,
    /// The message that is being delivered: held until the next event is requested, so that its span covers the delivery.
    delivering: Option<Box<Update>>,
    /// The span of the request that opened the stream: reads made for the stream belong to it.
    span: Span,
    _slot: Slot,
}

/// What ends a wait.
enum Wake {
    /// `None` if the subscription has ended.
    Message(Option<LiveMessage>),
    ReadIsDue,
    Draining,
}

impl OrderStream {
    pub(super) fn new(
        live: Live,
        customer: CustomerId,
        order: Order,
        cursor: Cursor,
        messages: Option<BoxStream<'static, LiveMessage>>,
        slot: Slot,
    ) -> Self {
        let mut stream = Self {
            live,
            customer,
            order_id: OrderId::stored(order.id.clone()),
            trace_id: order.trace_id.clone(),
            cursor,
            ended: false,
            queue: VecDeque::new(),
            messages,
            next_read: Instant::now(),
            delivering: None,
            span: tracing::info_span!("follow order", order.id = order.id),
            _slot: slot,
        };
        stream.queue_history(&order);
        stream.postpone_read();
        stream
    }

    /// The next event to send; `None` after the last status, or when the gateway drains.
    pub(crate) async fn next(&mut self) -> Option<StreamEvent> {
        self.delivering = None;
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            match self.wait().await {
                Wake::Draining => return None,
                Wake::Message(Some(LiveMessage::Update(update))) => self.receive(update).await,
                Wake::Message(Some(LiveMessage::Reconnected)) => self.read("lapse").await,
                Wake::Message(None) => {
                    self.messages = None;
                    self.postpone_read();
                }
                Wake::ReadIsDue => self.read("silence").await,
            }
        }
    }

    async fn wait(&mut self) -> Wake {
        let message = async {
            match &mut self.messages {
                Some(messages) => messages.next().await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.live.draining.cancelled() => Wake::Draining,
            message = message => Wake::Message(message),
            () = sleep_until(self.next_read) => Wake::ReadIsDue,
        }
    }

    async fn receive(&mut self, update: Box<Update>) {
        self.postpone_read();
        match update.status {
            None => {
                let (kind, at) = (update.event_type.clone(), update.at.clone());
                self.queue.push_back(StreamEvent::Activity(Activity { kind, at }));
            }
            Some(status) => match self.cursor.compare(status.revision) {
                Revision::Duplicate => return,
                Revision::Next => self.queue_status(status, update.at.clone()),
                Revision::Gap => return self.read("gap").await,
            },
        }
        self.delivering = Some(update);
    }

    /// Reads the order and queues the statuses that were missed; subscribes again if the subscription has ended.
    async fn read(&mut self, reason: &'static str) {
        self.live.metrics.live_rereads_total.with_label_values(&[reason]).inc();
        let (live, customer, order_id) = (&self.live, &self.customer, &self.order_id);
        let subscribed = self.messages.is_some();
        let read = async {
            let messages = if subscribed {
                None
            } else {
                live.updates.subscribe(customer, order_id).await.ok()
            };
            (messages, live.orders.get(customer, order_id).await)
        };
        match deadline::within(READ_TIMEOUT, read).instrument(self.span.clone()).await {
            Ok((messages, Ok(order))) => {
                self.messages = self.messages.take().or(messages);
                self.queue_history(&order);
                self.postpone_read();
            }
            Ok((_, Err(error))) | Err(error) => {
                tracing::debug!(%error, order.id = %self.order_id, "a live stream cannot read its order");
                self.next_read = Instant::now() + self.live.intervals.unsubscribed;
            }
        }
    }

    fn postpone_read(&mut self) {
        let intervals = self.live.intervals;
        let interval =
            if self.messages.is_some() { intervals.subscribed } else { intervals.unsubscribed };
        self.next_read = Instant::now() + interval;
    }

    fn queue_history(&mut self, order: &Order) {
        for (revision, step) in (1..).zip(&order.history) {
            if !self.cursor.has_sent(revision) {
                let reason = order.reason.filter(|_| step.status == order.status);
                let status = StatusUpdate { status: step.status, reason, revision };
                self.queue_status(status, step.at.clone());
            }
        }
    }

    fn queue_status(
        &mut self,
        StatusUpdate { status, reason, revision }: StatusUpdate,
        at: String,
    ) {
        self.cursor.advance(revision);
        self.ended = status.is_final();
        let (id, trace_id) = (self.order_id.to_string(), self.trace_id.clone());
        let change = StatusChange { id, status, reason, at, revision, trace_id };
        self.queue.push_back(StreamEvent::Status(change));
    }
}
