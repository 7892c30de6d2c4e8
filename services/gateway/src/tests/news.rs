//! A fake of NATS: a list of subscribers.

use std::sync::atomic::{AtomicBool, Ordering};

use chassis::{Error, Kind};
use futures::{StreamExt, future::BoxFuture, stream, stream::BoxStream};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::{
    config::Customer,
    outbound::{Change, Heard, Update, Updates},
    resources::{Reason, Status},
};

#[derive(Default)]
pub(super) struct News {
    listeners: Mutex<Vec<mpsc::UnboundedSender<Heard>>>,
    away: AtomicBool,
}

impl News {
    /// Ends all subscriptions; new ones fail from now on.
    pub(super) fn goes_away(&self) {
        self.away.store(true, Ordering::SeqCst);
        self.listeners.lock().clear();
    }

    pub(super) fn comes_back(&self) {
        self.away.store(false, Ordering::SeqCst);
    }

    pub(super) fn listeners(&self) -> usize {
        self.listeners.lock().iter().filter(|listener| !listener.is_closed()).count()
    }

    pub(super) fn status(&self, revision: u32, status: Status, reason: Option<Reason>) {
        self.tell("mesh.orders.v1.Order", Some(Change { status, reason, revision }));
    }

    pub(super) fn activity(&self, event_type: &str) {
        self.tell(event_type, None);
    }

    pub(super) fn lapse(&self) {
        self.listeners.lock().retain(|listener| listener.send(Heard::Lapse).is_ok());
    }

    fn tell(&self, event_type: &str, change: Option<Change>) {
        let update = || Update {
            event_type: event_type.into(),
            at: "2026-03-14T09:26:53.589793Z".into(),
            change,
            delivery: None,
        };
        self.listeners.lock().retain(|listener| listener.send(Heard::Update(update())).is_ok());
    }
}

impl Updates for News {
    fn of<'a>(
        &'a self,
        _: &'a Customer,
        _: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Heard>, Error>> {
        Box::pin(async {
            if self.away.load(Ordering::SeqCst) {
                return Err(Error::new(Kind::Unavailable, "no connection to NATS"));
            }
            let (sender, heard) = mpsc::unbounded_channel();
            self.listeners.lock().push(sender);
            let heard =
                stream::unfold(heard, |mut heard| async { Some((heard.recv().await?, heard)) });
            Ok(heard.boxed())
        })
    }
}
