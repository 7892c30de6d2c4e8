//! What librdkafka tells about its connections, told on: every outage once.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use rdkafka::{config::RDKafkaLogLevel, error::KafkaError, types::RDKafkaErrorCode};

use tokio::time::Instant;

use crate::metrics::IntGauge;

/// Connections are made again by the library, and commits by the dispatcher.
const MENDED: [&str; 2] = ["FAIL", "COMMITFAIL"];

/// What is said again and again is logged this often.
const REPEAT: Duration = Duration::from_secs(30);

/// When something was logged last, and how often it was not since.
#[derive(Default)]
struct Repeated(Mutex<HashMap<String, (Instant, u64)>>);

impl Repeated {
    /// How often the same was left out before, if it is to be logged now. What is the same is a word of the client's, so that
    /// there are few.
    fn due(&self, what: &str) -> Option<u64> {
        let (now, mut all) = (Instant::now(), self.0.lock());
        let Some((last, left_out)) = all.get_mut(what) else {
            all.insert(what.to_owned(), (now, 0));
            return Some(0);
        };
        if now < *last + REPEAT {
            *left_out += 1;
            return None;
        }
        *last = now;
        Some(std::mem::take(left_out))
    }
}

/// The state of one client's connections.
pub(super) struct Link {
    client: &'static str,
    repeated: Repeated,
    down: AtomicBool,
    /// Where it is shown.
    connected: Option<IntGauge>,
}

impl Link {
    pub(super) fn new(client: &'static str) -> Self {
        Self {
            client,
            repeated: Repeated::default(),
            down: AtomicBool::new(false),
            connected: None,
        }
    }

    pub(super) fn shown(client: &'static str, connected: IntGauge) -> Self {
        Self { connected: Some(connected), ..Self::new(client) }
    }

    fn show(&self, connected: bool) {
        if let Some(gauge) = &self.connected {
            gauge.set(connected.into());
        }
    }

    /// A broker answered.
    pub(super) fn up(&self) {
        self.show(true);
        if self.down.load(Ordering::Relaxed) && self.down.swap(false, Ordering::Relaxed) {
            tracing::info!(kafka.client = self.client, "a Kafka broker answers again");
        }
    }

    pub(super) fn failed(&self, error: &KafkaError) {
        use RDKafkaErrorCode::{
            AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve,
        };
        match error.rdkafka_error_code() {
            Some(AllBrokersDown) => {
                self.show(false);
                if !self.down.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        kafka.client = self.client,
                        "no Kafka broker answers, waiting for one"
                    );
                }
            }
            // One connection of several; if it was the last, the line above follows.
            Some(BrokerTransportFailure | OperationTimedOut | Resolve) => {
                tracing::debug!(kafka.client = self.client, error = %error, "a connection to Kafka failed");
            }
            _ => {
                let text = error.to_string();
                if let Some(repeated) = self.repeated.due(&text) {
                    tracing::warn!(
                        kafka.client = self.client,
                        error = text,
                        repeated,
                        "Kafka refused"
                    );
                }
            }
        }
    }

    /// The library's errors are about connections that it mends itself.
    pub(super) fn line(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
        let client = self.client;
        match level {
            Emerg | Alert | Critical => {
                tracing::error!(kafka.client = client, kafka.facility = facility, "{text}")
            }
            Error | Warning if !MENDED.contains(&facility) => {
                if let Some(repeated) = self.repeated.due(facility) {
                    tracing::warn!(
                        kafka.client = client,
                        kafka.facility = facility,
                        repeated,
                        "{text}"
                    );
                }
            }
            Error | Warning | Notice | Info => {
                tracing::debug!(kafka.client = client, kafka.facility = facility, "{text}");
            }
            Debug => tracing::trace!(kafka.client = client, kafka.facility = facility, "{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_said_again_and_again_is_logged_now_and_then() {
        let repeated = Repeated::default();
        assert_eq!((repeated.due("a"), repeated.due("b")), (Some(0), Some(0)));
        assert!((0..450).all(|_| repeated.due("a").is_none()));
        tokio::time::advance(REPEAT).await;
        assert_eq!((repeated.due("a"), repeated.due("b")), (Some(450), Some(0)));
        assert_eq!(repeated.due("a"), None);
    }
}
