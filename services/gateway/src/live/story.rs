//! The stream of one watcher.

use std::{collections::VecDeque, time::Duration};

use chassis::deadline;
use futures::{StreamExt, stream::BoxStream};
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument, Span};

use super::{Live, Watching};
use crate::{
    config::Customer,
    domain::{News, Told},
    outbound::{Change, Heard, Update},
    resources::{Activity, Order, StatusChange},
};

/// A read that takes longer is abandoned: the next one follows soon, and the drain must not wait for a stream.
const READING: Duration = Duration::from_secs(2);

/// What the stream sends to the watcher.
pub(crate) enum Telling {
    /// The order took a status.
    Status(StatusChange),
    /// Something else happened to it.
    Activity(Activity),
}

/// The stream of one order: each status once, and in order.
pub(crate) struct Story {
    live: Live,
    customer: Customer,
    order_id: String,
    trace_id: Option<String>,
    told: Told,
    over: bool,
    waiting: VecDeque<Telling>,
    /// `None` while there is no subscription.
    heard: Option<BoxStream<'static, Heard>>,
    reading: Instant,
    /// The message that is being delivered: held until the next event is requested, so that its span covers the delivery.
    delivering: Option<Update>,
    /// The span of the request that opened the stream: reads made for the stream belong to it.
    span: Span,
    _watching: Watching,
}

/// What ends the wait.
enum Turn {
    Heard(Option<Heard>),
    Silence,
    Drain,
}

impl Story {
    pub(super) fn begin(
        live: Live,
        customer: Customer,
        order: Order,
        told: Told,
        heard: Option<BoxStream<'static, Heard>>,
        watching: Watching,
    ) -> Self {
        let mut story = Self {
            customer,
            order_id: order.id.clone(),
            trace_id: order.trace_id.clone(),
            told,
            over: false,
            waiting: VecDeque::new(),
            heard,
            reading: Instant::now(),
            delivering: None,
            span: tracing::info_span!("tell live", order.id = order.id),
            _watching: watching,
            live,
        };
        story.tell_history(&order);
        story.rest();
        story
    }

    /// The next event to send; `None` after the last status, or when the gateway drains.
    pub(crate) async fn next(&mut self) -> Option<Telling> {
        self.delivering = None;
        loop {
            if let Some(telling) = self.waiting.pop_front() {
                return Some(telling);
            }
            if self.over {
                return None;
            }
            match self.wait().await {
                Turn::Drain => return None,
                Turn::Heard(Some(Heard::Update(update))) => self.hear(update).await,
                Turn::Heard(Some(Heard::Lapse)) => self.read("lapse").await,
                Turn::Heard(None) => {
                    self.heard = None;
                    self.rest();
                }
                Turn::Silence => self.read("silence").await,
            }
        }
    }

    async fn wait(&mut self) -> Turn {
        let heard = async {
            match &mut self.heard {
                Some(heard) => heard.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.live.draining.cancelled() => Turn::Drain,
            heard = heard => Turn::Heard(heard),
            () = sleep_until(self.reading) => Turn::Silence,
        }
    }

    async fn hear(&mut self, update: Update) {
        self.rest();
        match update.change {
            None => {
                let (kind, at) = (update.event_type.clone(), update.at.clone());
                self.waiting.push_back(Telling::Activity(Activity { kind, at }));
            }
            Some(change) => match self.told.judge(change.revision) {
                News::Old => return,
                News::Next => self.tell(change, update.at.clone()),
                News::Gap => return self.read("gap").await,
            },
        }
        self.delivering = Some(update);
    }

    /// Reads the order and queues the statuses that were missed; subscribes again if the subscription has ended.
    async fn read(&mut self, why: &'static str) {
        self.live.metrics.live_rereads_total.with_label_values(&[why]).inc();
        let (live, customer, order_id) = (&self.live, &self.customer, &self.order_id);
        let deaf = self.heard.is_none();
        let reading = async {
            let heard = if deaf { live.updates.of(customer, order_id).await.ok() } else { None };
            (heard, live.orders.get(customer, order_id).await)
        };
        let read = deadline::within(READING, reading).instrument(self.span.clone()).await;
        match read {
            Ok((heard, Ok(order))) => {
                self.heard = self.heard.take().or(heard);
                self.tell_history(&order);
                self.rest();
            }
            Ok((_, Err(error))) | Err(error) => {
                tracing::debug!(%error, order.id = self.order_id, "a live stream waits for its order");
                self.reading = Instant::now() + self.live.pace.deaf;
            }
        }
    }

    /// Postpones the next read.
    fn rest(&mut self) {
        let pace = self.live.pace;
        self.reading = Instant::now() + if self.heard.is_some() { pace.silence } else { pace.deaf };
    }

    fn tell_history(&mut self, order: &Order) {
        for (revision, step) in (1..).zip(&order.history) {
            if !self.told.has(revision) {
                let reason = order.reason.filter(|_| step.status == order.status);
                self.tell(Change { status: step.status, reason, revision }, step.at.clone());
            }
        }
    }

    fn tell(&mut self, change: Change, at: String) {
        self.told.advance(change.revision);
        self.over = change.status.is_final();
        self.waiting.push_back(Telling::Status(StatusChange {
            id: self.order_id.clone(),
            status: change.status,
            reason: change.reason,
            at,
            revision: change.revision,
            trace_id: self.trace_id.clone(),
        }));
    }
}
