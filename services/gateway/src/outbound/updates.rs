//! NATS `live.orders.<customer>.<order>`.

use chassis::{Error, Kind, nats, telemetry};
use futures::{StreamExt, future::BoxFuture, stream, stream::BoxStream};
use proto::{notifications::v1::LiveUpdate, subjects::LIVE_ORDERS};

use super::orders::{reason, rfc3339, status};
use crate::{
    config::Customer,
    resources::{Reason, Status},
};

/// Where news of an order come from while they happen.
pub(crate) trait Updates: Send + Sync + 'static {
    /// What happens after this has returned is heard, unless it is lost; fails at once if nothing could be heard.
    fn of<'a>(
        &'a self,
        customer: &'a Customer,
        order_id: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Heard>, Error>>;
}

/// What a listener hears.
pub(crate) enum Heard {
    /// News.
    Update(Update),
    /// News may have been missed.
    Lapse,
}

/// A live message.
pub(crate) struct Update {
    /// The event's type, e.g. `mesh.payments.v1.PaymentAuthorized`.
    pub(crate) event_type: String,
    /// When it happened, RFC 3339.
    pub(crate) at: String,
    /// The status that the order took, if it did.
    pub(crate) change: Option<Change>,
    #[expect(dead_code, reason = "holds the span of its delivery open")]
    pub(crate) delivery: Option<nats::Live<LiveUpdate>>,
}

/// A status that an order took.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    pub(crate) status: Status,
    pub(crate) reason: Option<Reason>,
    pub(crate) revision: u32,
}

impl Updates for nats::Client {
    fn of<'a>(
        &'a self,
        customer: &'a Customer,
        order_id: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Heard>, Error>> {
        Box::pin(async move {
            if !self.is_connected() {
                return Err(Error::new(Kind::Unavailable, "no connection to NATS"));
            }
            let lapses = self.reconnections();
            let messages = self.subscribe(LIVE_ORDERS, &[customer.as_str(), order_id]).await?;
            let heard =
                stream::unfold((messages, lapses), |(mut messages, mut lapses)| async move {
                    let heard = tokio::select! {
                        message = messages.next() => Heard::Update(update(message?)),
                        () = lapses.next() => Heard::Lapse,
                    };
                    Some((heard, (messages, lapses)))
                });
            Ok(heard.boxed())
        })
    }
}

fn update(message: nats::Live<LiveUpdate>) -> Update {
    let _current = message.context.clone().attach();
    telemetry::annotate("order.id", message.body.order_id.clone());
    let change = message.body.change.and_then(|change| {
        Some(Change {
            // A status that is not known here is told as what happened, not as a status.
            status: status(change.status)?,
            reason: reason(change.cancel_reason),
            revision: u32::try_from(change.revision).ok()?,
        })
    });
    Update {
        event_type: message.body.event_type.clone(),
        at: rfc3339(message.body.occurred_at_us),
        change,
        delivery: Some(message),
    }
}
