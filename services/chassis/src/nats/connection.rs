//! The connection: how it is established, lost, re-established and closed.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use async_nats::{ConnectOptions, Event, connection::State};
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::metrics::{ConnectionMetrics, Metrics};
use crate::{Error, Kind, deadline, readiness::Condition, retry};

/// The first pause between attempts to connect: short enough that a restarted server is found before an operator notices, ...
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// ... and the longest, long enough that attempts cost little while a server stays away.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// The time limit of one attempt, handshake included: enough within one network, not across the world.
const ATTEMPT: Duration = Duration::from_secs(2);
/// The interval of pings to a silent server; after two unanswered pings the connection is lost.
const PING: Duration = Duration::from_secs(5);
/// The most messages that wait for one subscriber; a subscriber with more is too slow for live messages.
const WAITING: usize = 1024;

/// The first attempt is made at once.
fn pause(attempt: usize) -> Duration {
    match u32::try_from(attempt).unwrap_or(u32::MAX) {
        0 | 1 => Duration::ZERO,
        attempt => retry::pause(FIRST_PAUSE, LONGEST_PAUSE, attempt - 2),
    }
}

pub(super) struct Connection {
    client: async_nats::Client,
    link: watch::Receiver<Link>,
}

/// The history of the connection.
#[derive(Clone, Copy, Default)]
struct Link {
    /// How often the connection was established.
    made: u64,
    /// How many messages were dropped because a subscriber was too slow.
    overflows: u64,
    /// The connection was drained, and will not be established again.
    closed: bool,
}

impl Connection {
    pub(super) async fn open(
        name: &str,
        url: &str,
        metrics: Metrics,
        wire: ConnectionMetrics,
        condition: Condition,
    ) -> anyhow::Result<Self> {
        let (sender, mut link) = watch::channel(Link::default());
        let events =
            Arc::new(Events { link: sender, metrics, wire, trouble: Mutex::default(), condition });
        let options = ConnectOptions::new()
            .name(name)
            .retry_on_initial_connect()
            .connection_timeout(ATTEMPT)
            .reconnect_delay_callback(pause)
            .ping_interval(PING)
            .subscription_capacity(WAITING)
            .event_callback(move |event| {
                events.on(&event);
                std::future::ready(())
            });
        let servers: Vec<&str> = url.split(',').map(str::trim).collect();
        let client = options
            .connect(servers)
            .await
            .with_context(|| "nats.url is not the address of a NATS server")?;
        link.wait_for(|link| link.made > 0)
            .await
            .context("the NATS client ended before it connected")?;
        Ok(Self { client, link })
    }

    pub(super) fn client(&self) -> &async_nats::Client {
        &self.client
    }

    pub(super) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected && !self.link.borrow().closed
    }

    /// Returns when the server has processed all earlier requests of this client, subscriptions above all: the server has
    /// delivered a message of this client to the client itself. `Client::flush` is no round trip; and a request without a
    /// responder returns early only if no client subscribes to all subjects.
    pub(super) async fn round_trip(&self) -> Result<(), Error> {
        round_trip(&self.client).await
    }

    pub(super) async fn drain(&self) -> Result<(), Error> {
        self.round_trip().await?;
        self.client.drain().await.map_err(closed)?;
        // If the sender is gone, the connection has ended as well.
        self.link.clone().wait_for(|link| link.closed).await.ok();
        Ok(())
    }

    pub(super) fn reconnections(&self, timeout: Duration) -> Reconnections {
        let seen = *self.link.borrow();
        Reconnections { client: self.client.clone(), link: self.link.clone(), seen, timeout }
    }
}

async fn round_trip(client: &async_nats::Client) -> Result<(), Error> {
    let inbox = client.new_inbox();
    let mut echo = client.subscribe(inbox.clone()).await.map_err(closed)?;
    client.publish(inbox, Vec::new().into()).await.map_err(closed)?;
    echo.next()
        .await
        .map(drop)
        .ok_or_else(|| Error::new(Kind::Unavailable, "the connection to NATS is closed"))
}

/// The reconnections of a client, and the overflows of its subscribers.
pub struct Reconnections {
    client: async_nats::Client,
    link: watch::Receiver<Link>,
    seen: Link,
    timeout: Duration,
}

impl Reconnections {
    /// Returns when all subscriptions are active again after messages were missed: the connection was lost, or a subscriber was
    /// too slow. Never returns once the client is drained. Safe to drop at any time, and to call again.
    pub async fn next(&mut self) {
        loop {
            let seen = self.seen;
            let missed = |link: &Link| link.made > seen.made || link.overflows > seen.overflows;
            let Ok(now) = self.link.wait_for(missed).await.map(|link| *link) else {
                return std::future::pending().await;
            };
            // If the round trip fails, the connection is lost again, and established again later.
            let live = deadline::within(self.timeout, round_trip(&self.client)).await.flatten();
            if live.is_ok() {
                self.seen = now;
                return;
            }
        }
    }
}

/// Handles the events that the client reports about its connection.
struct Events {
    link: watch::Sender<Link>,
    metrics: Metrics,
    wire: ConnectionMetrics,
    /// The last trouble that was logged: a server that stays away is worth one log line, not two per second.
    trouble: Mutex<Option<String>>,
    /// Raised while there is no connection.
    condition: Condition,
}

impl Events {
    fn on(&self, event: &Event) {
        match event {
            Event::Connected => {
                *self.trouble.lock() = None;
                self.condition.clear();
                tracing::info!("connected to NATS");
                self.wire.connected.set(1);
                if self.link.borrow().made > 0 {
                    self.wire.reconnects_total.inc();
                }
                self.link.send_modify(|link| link.made += 1);
            }
            Event::Closed => {
                self.wire.connected.set(0);
                self.link.send_modify(|link| link.closed = true);
            }
            Event::SlowConsumer(_) => {
                self.metrics.dropped_total.with_label_values(&["overflow"]).inc();
                self.link.send_modify(|link| link.overflows += 1);
                self.log_trouble("a subscriber is too slow for its live messages");
            }
            Event::Disconnected => {
                self.wire.connected.set(0);
                self.condition.raise("the connection to NATS was lost");
                self.log_trouble("the connection to NATS was lost");
            }
            Event::ServerError(error) => self.log_trouble(&format!("NATS refuses: {error}")),
            Event::ClientError(error) => {
                self.log_trouble(&format!("no connection to NATS: {error}"))
            }
            Event::LameDuckMode | Event::Draining => tracing::debug!(%event, "NATS"),
        }
    }

    fn log_trouble(&self, what: &str) {
        let mut last = self.trouble.lock();
        if last.as_deref() != Some(what) {
            tracing::warn!("{what}");
            *last = Some(what.to_owned());
        }
    }
}

/// The client is closed: no other error of subscribing and draining is possible.
pub(super) fn closed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Unavailable, "the connection to NATS is closed").source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metrics::Registry,
        readiness::{Impact, Readiness},
    };

    #[test]
    fn a_lost_connection_degrades_the_service_until_it_is_made_again() {
        let registry = Registry::new();
        let readiness = Readiness::new(&registry).unwrap();
        let wire = ConnectionMetrics::register(&registry).unwrap();
        let events = Events {
            link: watch::channel(Link::default()).0,
            metrics: Metrics::register(&registry).unwrap(),
            wire: wire.clone(),
            trouble: Mutex::default(),
            condition: readiness.condition("nats", Impact::Degraded),
        };
        let degraded = || readiness.degraded().first().map(|one| one.reason.clone());
        events.on(&Event::Connected);
        assert_eq!((degraded(), wire.connected.get()), (None, 1));
        events.on(&Event::Disconnected);
        let lost = Some("the connection to NATS was lost".to_owned());
        assert_eq!((degraded(), wire.connected.get()), (lost, 0));
        events.on(&Event::Connected);
        assert_eq!((degraded(), wire.reconnects_total.get()), (None, 1));
    }

    #[test]
    fn pauses_grow_to_half_a_second() {
        let millis: Vec<u128> = (0..8).map(|attempt| pause(attempt).as_millis()).collect();
        assert_eq!(millis, [0, 0, 50, 100, 200, 400, 500, 500]);
        assert_eq!(pause(usize::MAX), LONGEST_PAUSE);
    }
}
