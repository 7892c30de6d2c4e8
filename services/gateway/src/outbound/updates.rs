//! NATS `live.orders.<customer>.<order>`.

use std::future;

use chassis::{Error, Kind, metrics::IntCounter, nats, telemetry, text::printable};
use futures::{StreamExt, stream, stream::BoxStream};
use proto::{
    limits::{self, ORDER_ID},
    notifications::v1::LiveUpdate,
    subjects::LiveOrders,
    values::{CustomerId, OrderId},
};

use crate::{
    resources::{Reason, Status},
    wire,
};

/// The source of an order's live messages.
#[tonic::async_trait]
pub(crate) trait Updates: Send + Sync + 'static {
    /// Subscribes: messages that are published after this has returned are received, unless they are lost. Fails at once
    /// without a connection.
    async fn subscribe(
        &self,
        customer: &CustomerId,
        order_id: &OrderId,
    ) -> Result<BoxStream<'static, LiveMessage>, Error>;

    /// Subscribes to the messages of all orders, in the same way.
    async fn subscribe_all(&self) -> Result<BoxStream<'static, LiveMessage>, Error>;
}

/// What a subscriber receives.
pub(crate) enum LiveMessage {
    Update(Box<Update>),
    /// The connection to NATS was lost and is back, or messages came too fast: some may have been missed.
    Reconnected,
}

/// Something that happened to an order.
pub(crate) struct Update {
    pub(crate) order_id: OrderId,
    pub(crate) customer: CustomerId,
    /// The event's type, e.g. `mesh.payments.v1.PaymentAuthorized`.
    pub(crate) event_type: String,
    /// When it happened, RFC 3339.
    pub(crate) at: String,
    /// The status that the order took, if it took one.
    pub(crate) status: Option<StatusUpdate>,
    /// The span of its delivery, as in <https://www.w3.org/TR/trace-context/#traceparent-header>; `None` outside of a trace.
    pub(crate) traceparent: Option<String>,
    #[expect(dead_code, reason = "holds the span of its delivery open")]
    pub(crate) delivery: Option<nats::Live<LiveUpdate>>,
}

/// A status that an order took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusUpdate {
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

#[tonic::async_trait]
impl Updates for Nats {
    async fn subscribe(
        &self,
        customer: &CustomerId,
        order_id: &OrderId,
    ) -> Result<BoxStream<'static, LiveMessage>, Error> {
        let reconnections = self.reconnections()?;
        let subject = [customer.as_str(), order_id.as_str()];
        let messages = self.client.subscribe(LiveOrders, &subject).await?;
        let order_id = order_id.clone();
        let valid = move |update: &LiveUpdate| is_of(update, order_id.as_str());
        Ok(self.valid(messages, reconnections, valid))
    }

    async fn subscribe_all(&self) -> Result<BoxStream<'static, LiveMessage>, Error> {
        let reconnections = self.reconnections()?;
        let messages = self.client.subscribe_all(LiveOrders).await?;
        Ok(self.valid(messages, reconnections, is_valid))
    }
}

impl Nats {
    fn reconnections(&self) -> Result<nats::Reconnections, Error> {
        if !self.client.is_connected() {
            return Err(Error::new(Kind::Unavailable, "no connection to NATS"));
        }
        Ok(self.client.reconnections())
    }

    /// The valid messages, and the reconnections between them.
    fn valid(
        &self,
        messages: nats::Subscription<LiveUpdate>,
        reconnections: nats::Reconnections,
        is_valid: impl Fn(&LiveUpdate) -> bool + Send + 'static,
    ) -> BoxStream<'static, LiveMessage> {
        let malformed = self.malformed.clone();
        let messages = messages.filter(move |message| {
            let valid = is_valid(&message.body);
            if !valid {
                malformed.inc();
            }
            future::ready(valid)
        });
        let both =
            stream::unfold((messages, reconnections), async |(mut messages, mut reconnections)| {
                let message = tokio::select! {
                    message = messages.next() => LiveMessage::Update(Box::new(update(message?))),
                    () = reconnections.next() => LiveMessage::Reconnected,
                };
                Some((message, (messages, reconnections)))
            });
        both.boxed()
    }
}

/// Checks a message: a client that may publish on NATS can publish anything, even an empty message.
fn is_valid(update: &LiveUpdate) -> bool {
    let Err(violations) = limits::check(update) else { return true };
    dropped(update, &violations.to_string());
    false
}

/// A valid message of this order.
fn is_of(update: &LiveUpdate, order_id: &str) -> bool {
    let other = update.order_id != order_id;
    if other {
        dropped(update, "it is of another order");
    }
    !other && is_valid(update)
}

fn dropped(update: &LiveUpdate, reason: &str) {
    let order_id = printable(&update.order_id, ORDER_ID.longest);
    tracing::debug!(order.id = order_id, reason, "a live message is dropped");
}

fn update(message: nats::Live<LiveUpdate>) -> Update {
    let _current = message.context.clone().attach();
    telemetry::annotate("order.id", message.body.order_id.clone());
    let status = message.body.change.and_then(|change| {
        Some(StatusUpdate {
            // A change to a status that this build does not know is sent as an activity, without a status.
            status: wire::status(change.status)?,
            reason: wire::reason(change.cancel_reason),
            revision: u32::try_from(change.revision).ok()?,
        })
    });
    let LiveUpdate { order_id, customer, event_type, .. } = message.body.clone();
    Update {
        order_id: OrderId::stored(order_id),
        customer: CustomerId::stored(customer),
        event_type,
        at: wire::rfc3339(message.body.occurred_at_us),
        status,
        traceparent: telemetry::traceparent(),
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
    fn a_message_that_breaks_limits_or_is_of_another_order_is_invalid() {
        assert!(is_of(&paid(), ORDER));
        let empty = LiveUpdate::decode(&b""[..]).unwrap();
        for bad in [
            empty,
            LiveUpdate { occurred_at_us: 0, ..paid() },
            LiveUpdate { occurred_at_us: -1, ..paid() },
            LiveUpdate { event_type: "<script>".into(), ..paid() },
            LiveUpdate { order_id: "00000000-0000-4000-8000-000000000000".into(), ..paid() },
        ] {
            assert!(!is_of(&bad, ORDER), "{bad:?}");
        }
    }
}
