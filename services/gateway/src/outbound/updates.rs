//! NATS `live.orders.<customer>.<order>`.

use chassis::{Error, Kind, metrics::IntCounter, nats, telemetry};
use futures::{StreamExt, future::BoxFuture, stream, stream::BoxStream};
use proto::{limits, notifications::v1::LiveUpdate, subjects::LIVE_ORDERS};

use super::orders::{reason, rfc3339, status};
use crate::{
    config::Customer,
    resources::{Reason, Status},
};

/// The source of an order's live messages.
pub(crate) trait Updates: Send + Sync + 'static {
    /// Subscribes: what is published after this has returned is received, unless it is lost. Fails at once without a connection.
    fn of<'a>(
        &'a self,
        customer: &'a Customer,
        order_id: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Heard>, Error>>;
}

/// What a subscriber receives.
pub(crate) enum Heard {
    /// A live message.
    Update(Update),
    /// Messages may have been missed.
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

/// Live messages from NATS.
pub(crate) struct Nats {
    client: nats::Client,
    malformed: IntCounter,
}

impl Nats {
    /// Messages that break limits are counted and dropped.
    pub(crate) fn new(client: nats::Client, malformed: IntCounter) -> Self {
        Self { client, malformed }
    }
}

impl Updates for Nats {
    fn of<'a>(
        &'a self,
        customer: &'a Customer,
        order_id: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Heard>, Error>> {
        Box::pin(async move {
            if !self.client.is_connected() {
                return Err(Error::new(Kind::Unavailable, "no connection to NATS"));
            }
            let lapses = self.client.reconnections();
            let messages =
                self.client.subscribe(LIVE_ORDERS, &[customer.as_str(), order_id]).await?;
            let (order_id, malformed) = (order_id.to_owned(), self.malformed.clone());
            let messages = messages.filter(move |message| {
                let keeps = keeps_limits(&message.body, &order_id);
                if !keeps {
                    malformed.inc();
                }
                std::future::ready(keeps)
            });
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

/// A client that may publish on NATS can publish anything, even an empty message.
fn keeps_limits(update: &LiveUpdate, order_id: &str) -> bool {
    let refusal = match limits::check(update) {
        Ok(()) if update.order_id == order_id => return true,
        Ok(()) => "it is of another order".to_owned(),
        Err(violations) => violations.to_string(),
    };
    tracing::debug!(order.id = order_id, refusal, "a live message is dropped");
    false
}

fn update(message: nats::Live<LiveUpdate>) -> Update {
    let _current = message.context.clone().attach();
    telemetry::annotate("order.id", message.body.order_id.clone());
    let change = message.body.change.and_then(|change| {
        Some(Change {
            // A change to a status that this build does not know is sent as an activity, without a status.
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

#[cfg(test)]
mod tests {
    use proto::Message;

    use super::*;

    const ORDER: &str = "6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11";

    fn paid() -> LiveUpdate {
        LiveUpdate {
            order_id: ORDER.into(),
            customer: "ada".into(),
            occurred_at_us: 1_773_480_413_589_793,
            event_type: "mesh.orders.v1.OrderPaid".into(),
            change: None,
        }
    }

    #[test]
    fn only_what_keeps_the_limits_reaches_a_browser() {
        assert!(keeps_limits(&paid(), ORDER));
        let empty = LiveUpdate::decode(&b""[..]).unwrap();
        for bad in [
            empty,
            LiveUpdate { occurred_at_us: 0, ..paid() },
            LiveUpdate { occurred_at_us: -1, ..paid() },
            LiveUpdate { event_type: "<script>".into(), ..paid() },
            LiveUpdate { order_id: "00000000-0000-4000-8000-000000000000".into(), ..paid() },
        ] {
            assert!(!keeps_limits(&bad, ORDER), "{bad:?}");
        }
    }
}
