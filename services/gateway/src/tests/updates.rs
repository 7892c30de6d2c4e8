//! A fake of NATS: a list of subscribers.

use std::sync::atomic::{AtomicBool, Ordering};

use chassis::{Error, Kind};
use futures::{StreamExt, stream, stream::BoxStream};
use parking_lot::Mutex;
use proto::values::{CustomerId, OrderId};
use tokio::sync::mpsc;

use super::gateway::ORDER;
use crate::{
    outbound::{LiveMessage, StatusUpdate, Update, Updates},
    resources::{Reason, Status},
};

#[derive(Default)]
pub(super) struct FakeUpdates {
    subscribers: Mutex<Vec<mpsc::UnboundedSender<LiveMessage>>>,
    away: AtomicBool,
}

impl FakeUpdates {
    /// Ends all subscriptions; new ones fail from now on.
    pub(super) fn disconnect(&self) {
        self.away.store(true, Ordering::SeqCst);
        self.subscribers.lock().clear();
    }

    pub(super) fn reconnect(&self) {
        self.away.store(false, Ordering::SeqCst);
    }

    pub(super) fn subscribers(&self) -> usize {
        self.subscribers.lock().iter().filter(|subscriber| !subscriber.is_closed()).count()
    }

    pub(super) fn status(&self, revision: u32, status: Status, reason: Option<Reason>) {
        self.send("mesh.orders.v1.Order", Some(StatusUpdate { status, reason, revision }));
    }

    pub(super) fn activity(&self, event_type: &str) {
        self.send(event_type, None);
    }

    pub(super) fn interrupt(&self) {
        self.subscribers
            .lock()
            .retain(|subscriber| subscriber.send(LiveMessage::Reconnected).is_ok());
    }

    fn send(&self, event_type: &str, status: Option<StatusUpdate>) {
        let update = || Update {
            order_id: OrderId::stored(ORDER.into()),
            customer: CustomerId::stored("guest".into()),
            traceparent: None,
            event_type: event_type.into(),
            at: "2026-03-14T09:26:53.589793Z".into(),
            status,
            delivery: None,
        };
        self.subscribers
            .lock()
            .retain(|subscriber| subscriber.send(LiveMessage::Update(Box::new(update()))).is_ok());
    }
}

#[tonic::async_trait]
impl Updates for FakeUpdates {
    async fn subscribe(
        &self,
        _: &CustomerId,
        _: &OrderId,
    ) -> Result<BoxStream<'static, LiveMessage>, Error> {
        self.subscribe_all().await
    }

    async fn subscribe_all(&self) -> Result<BoxStream<'static, LiveMessage>, Error> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::new(Kind::Unavailable, "no connection to NATS"));
        }
        let (sender, messages) = mpsc::unbounded_channel();
        self.subscribers.lock().push(sender);
        let messages = stream::unfold(messages, |mut messages| async {
            Some((messages.recv().await?, messages))
        });
        Ok(messages.boxed())
    }
}
