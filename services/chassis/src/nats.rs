//! NATS: live messages, typed by subject. A message without a subscriber is lost, on purpose.
//!
//! ```text
//!  publish ── span `send live…` ── traceparent ──▶ server ──▶ Subscription ── span `process live…` ──▶ Live { body, context }
//! ```
//!
//! Nothing here waits for a server that is away: a live message that cannot be sent now is worthless later. The client
//! reconnects by itself; a subscriber that must not miss anything queries the state again at each of [`Client::reconnections`].

mod call;
mod connection;
mod metrics;
mod settings;
mod subscription;
mod trace;

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::{PublishError, PublishErrorKind};
use futures::StreamExt;
use opentelemetry::trace::SpanKind;

pub use connection::Reconnections;
pub use settings::Settings;
pub(crate) use settings::check;
pub use subscription::{Live, Subscription};

use crate::{
    Error, Kind,
    contract::{Message, Subject},
    deadline, messaging,
    metrics::{IntCounterVec, Registry},
    readiness::Condition,
};
use call::Call;
use connection::{Connection, closed};
use metrics::{ConnectionMetrics, Metrics};

/// The client counts messages and bytes by itself: its numbers are copied at each scrape.
fn show_traffic(registry: &Registry, client: &async_nats::Client, wire: ConnectionMetrics) {
    let statistics = client.statistics();
    let show = |family: &IntCounterVec, direction, now: u64| {
        let counted = family.with_label_values(&[direction]);
        counted.inc_by(now.saturating_sub(counted.get()));
    };
    registry.on_scrape(move || {
        show(&wire.messages_total, "in", statistics.in_messages.load(Ordering::Relaxed));
        show(&wire.messages_total, "out", statistics.out_messages.load(Ordering::Relaxed));
        show(&wire.bytes_total, "in", statistics.in_bytes.load(Ordering::Relaxed));
        show(&wire.bytes_total, "out", statistics.out_bytes.load(Ordering::Relaxed));
    });
}

/// A connection to NATS; cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    connection: Connection,
    timeout: Duration,
    operations: messaging::Metrics,
    metrics: Metrics,
}

impl Client {
    /// Connects, and waits until a server is reachable. The condition is raised while there is no connection.
    ///
    /// # Errors
    /// The URL is invalid.
    pub async fn connect(
        name: &str,
        settings: &Settings,
        operations: messaging::Metrics,
        registry: &Registry,
        condition: Condition,
    ) -> anyhow::Result<Self> {
        let (metrics, wire) =
            (Metrics::register(registry)?, ConnectionMetrics::register(registry)?);
        let connection =
            Connection::open(name, settings.url.expose(), metrics.clone(), wire.clone(), condition)
                .await?;
        show_traffic(registry, connection.client(), wire);
        Ok(Self(Arc::new(Inner { connection, timeout: settings.timeout, operations, metrics })))
    }

    /// Whether the client is connected now.
    pub fn is_connected(&self) -> bool {
        self.0.connection.is_up()
    }

    /// The reconnections from now on.
    pub fn reconnections(&self) -> Reconnections {
        self.0.connection.reconnections(self.0.timeout)
    }

    /// Sends a message to the current subscribers.
    ///
    /// # Errors
    /// [`Kind::Unavailable`], at once, without a connection; [`Kind::Invalid`] if a token cannot be part of a subject, or the
    /// message is larger than the server accepts.
    pub async fn publish<S: Subject>(
        &self,
        _subject: S,
        tokens: &[&str],
        message: &S::Message,
    ) -> Result<(), Error> {
        let destination = destination::<S>(tokens)?;
        let payload = message.encode_to_vec();
        let call = Call::new(
            SpanKind::Producer,
            "send",
            S::TEMPLATE,
            &destination,
            payload.len(),
            &self.0.operations,
        );
        let sent = self.now(async {
            let client = self.0.connection.client();
            client
                .publish_with_headers(destination, call.headers(), payload.into())
                .await
                .map_err(not_sent)
        });
        let sent = sent.await;
        call.ended(sent)
    }

    /// Subscribes. Messages that are published after this has returned arrive, as long as the connection holds.
    ///
    /// # Errors
    /// [`Kind::DeadlineExceeded`] if no server is reachable in time; [`Kind::Invalid`] if a token cannot be part of a subject.
    pub async fn subscribe<S: Subject>(
        &self,
        _subject: S,
        tokens: &[&str],
    ) -> Result<Subscription<S::Message>, Error> {
        self.listen::<S>(destination::<S>(tokens)?).await
    }

    /// Subscribes to all subjects of the pattern, as [`Client::subscribe`] does to one.
    ///
    /// # Errors
    /// [`Kind::DeadlineExceeded`] if no server is reachable in time.
    pub async fn subscribe_all<S: Subject>(
        &self,
        _subject: S,
    ) -> Result<Subscription<S::Message>, Error> {
        self.listen::<S>(S::all()).await
    }

    async fn listen<S: Subject>(
        &self,
        destination: String,
    ) -> Result<Subscription<S::Message>, Error> {
        let subscribed = deadline::within(self.0.timeout, async {
            let messages = self.0.connection.client().subscribe(destination).await;
            let messages = messages.map_err(closed)?;
            self.0.connection.round_trip().await?;
            Ok(messages)
        });
        let messages = subscribed.await.flatten()?;
        Ok(Subscription::new(messages.boxed(), S::TEMPLATE, self.0.metrics.clone()))
    }

    /// Sends the messages that were published, ends all subscriptions once they have received theirs, and closes the
    /// connection.
    pub async fn drain(&self) {
        if self.is_connected()
            && let Err(error) =
                deadline::within(self.0.timeout, self.0.connection.drain()).await.flatten()
        {
            tracing::warn!(%error, "the connection to NATS was not drained");
        }
    }

    /// Makes a call with the time limit, and only while connected: the client would buffer it and send it when it is worthless.
    async fn now<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if !self.is_connected() {
            return Err(Error::new(Kind::Unavailable, "no connection to NATS"));
        }
        deadline::within(self.0.timeout, call).await.flatten()
    }
}

fn destination<S: Subject>(tokens: &[&str]) -> Result<String, Error> {
    S::with(tokens).map_err(|error| Error::new(Kind::Invalid, error.to_string()))
}

fn not_sent(error: PublishError) -> Error {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => {
            Error::new(Kind::Invalid, "the message is larger than NATS takes")
        }
        PublishErrorKind::InvalidSubject => Error::new(Kind::Invalid, "NATS has no such subjects"),
        PublishErrorKind::Send => Error::new(Kind::Unavailable, "the connection to NATS is closed"),
    }
    .source(error)
}

#[cfg(test)]
mod tests;
