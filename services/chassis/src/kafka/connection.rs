//! The state of librdkafka's connections, from its callbacks: each outage is logged once.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use rdkafka::{config::RDKafkaLogLevel, error::KafkaError, types::RDKafkaErrorCode};

use tokio::time::Instant;

use super::unreadable::is_about_a_record;
use crate::{metrics::IntGauge, readiness::Condition};

/// Kinds of log lines about errors that are retried: connections by the library, commits by the dispatcher.
const MENDED: [&str; 2] = ["FAIL", "COMMITFAIL"];

/// How often a message that recurs is logged.
const REPEAT: Duration = Duration::from_secs(30);

/// For each message: when it was last logged, and how often it was left out since.
#[derive(Default)]
struct Repeated(Mutex<HashMap<String, (Instant, u64)>>);

impl Repeated {
    /// Returns how often this message was left out, if it is to be logged now. Messages are identified by the client's own words,
    /// of which there are few.
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

/// An error is over if it does not recur within this time.
const REFUSED: Duration = Duration::from_secs(15);
/// A broker answers each fetch and each heartbeat. One that has been silent for this long is away, whatever its connections do.
pub(crate) const SILENT: Duration = Duration::from_secs(10);

/// The state of one client's connections.
pub(crate) struct ConnectionHealth {
    client: &'static str,
    repeated: Repeated,
    down: AtomicBool,
    /// Whether the condition is raised, and when brokers last refused a request.
    raised: AtomicBool,
    refused: Mutex<Option<Instant>>,
    /// Why the last connection failed, in the library's words: the error for an outage has no reason.
    cause: Mutex<String>,
    /// The metric and the condition that show the state.
    shown: Option<(IntGauge, Condition)>,
}

impl ConnectionHealth {
    pub(crate) fn new(client: &'static str) -> Self {
        Self {
            client,
            repeated: Repeated::default(),
            down: AtomicBool::new(false),
            raised: AtomicBool::new(false),
            refused: Mutex::new(None),
            cause: Mutex::default(),
            shown: None,
        }
    }

    pub(crate) fn shown(client: &'static str, connected: IntGauge, condition: Condition) -> Self {
        Self { shown: Some((connected, condition)), ..Self::new(client) }
    }

    fn show(&self, connected: bool) {
        if let Some((gauge, _)) = &self.shown {
            gauge.set(connected.into());
        }
    }

    fn raise(&self, reason: String) {
        if let Some((_, condition)) = &self.shown {
            condition.raise(reason);
            self.raised.store(true, Ordering::Relaxed);
        }
    }

    fn remember(&self, cause: &str) {
        if !cause.is_empty() {
            cause.clone_into(&mut self.cause.lock());
        }
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Notes that a broker answered.
    pub(crate) fn up(&self) {
        self.show(true);
        if self.down.load(Ordering::Relaxed) && self.down.swap(false, Ordering::Relaxed) {
            tracing::info!(kafka.client = self.client, "a Kafka broker answers again");
        }
        if self.raised.load(Ordering::Relaxed) {
            let refused = self.refused.lock().is_some_and(|at| at.elapsed() < REFUSED);
            if !refused && self.raised.swap(false, Ordering::Relaxed) {
                self.shown.iter().for_each(|(_, condition)| condition.clear());
            }
        }
    }

    /// Notes that no broker has sent anything for this long, although connections exist.
    pub(crate) fn silent(&self, since: Duration) {
        self.show(false);
        if !self.down.swap(true, Ordering::Relaxed) {
            tracing::error!(kafka.client = self.client, "no Kafka broker answers any more");
        }
        self.raise(format!("no answer from Kafka for {} s", since.as_secs()));
    }

    /// Notes an error of the client, with its text, which has the details (e.g. which certificate, which login), if there is one.
    pub(crate) fn failed(&self, error: &KafkaError, text: &str) {
        use RDKafkaErrorCode::{
            AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve,
        };
        match error.rdkafka_error_code() {
            Some(AllBrokersDown) => {
                self.show(false);
                let cause = self.cause.lock().clone();
                if !self.down.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        kafka.client = self.client,
                        cause,
                        "no Kafka broker answers, waiting for one"
                    );
                }
                let colon = if cause.is_empty() { "" } else { ": " };
                self.raise(format!("no Kafka broker can be reached{colon}{cause}"));
            }
            // One connection of several has failed. If it was the last, `AllBrokersDown` follows.
            Some(BrokerTransportFailure | OperationTimedOut | Resolve) => {
                self.remember(text);
                tracing::debug!(kafka.client = self.client, error = %error, cause = text, "a connection to Kafka failed");
            }
            _ => {
                let what = error.to_string();
                if !is_about_a_record(error) {
                    *self.refused.lock() = Some(Instant::now());
                    self.remember(text);
                    let why = if text.is_empty() { &what } else { text };
                    self.raise(format!("Kafka refuses: {why}"));
                }
                if let Some(repeated) = self.repeated.due(&what) {
                    tracing::warn!(
                        kafka.client = self.client,
                        error = what,
                        cause = text,
                        repeated,
                        "Kafka refused"
                    );
                }
            }
        }
    }

    /// Logs a line of the library. Errors that are retried anyway (`MENDED`) are logged at debug level only.
    pub(crate) fn line(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
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
    use crate::{kafka::health::Health, metrics::Registry, readiness::Readiness};

    #[tokio::test(start_paused = true)]
    async fn what_is_said_again_and_again_is_logged_now_and_then() {
        let repeated = Repeated::default();
        assert_eq!((repeated.due("a"), repeated.due("b")), (Some(0), Some(0)));
        assert!((0..450).all(|_| repeated.due("a").is_none()));
        tokio::time::advance(REPEAT).await;
        assert_eq!((repeated.due("a"), repeated.due("b")), (Some(450), Some(0)));
        assert_eq!(repeated.due("a"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_refusals_show_until_they_are_over() {
        let registry = Registry::new();
        let readiness = Readiness::new(&registry).unwrap();
        let gauge: IntGauge = registry.register("mesh_kafka_connected", "Up.", &[]).unwrap();
        let health = Health::new(&readiness);
        let connection = ConnectionHealth::shown("consumer", gauge.clone(), health.brokers);
        let reason = || readiness.degraded().first().map(|one| one.reason.clone());
        connection.up();
        assert_eq!((reason(), gauge.get()), (None, 1));
        connection.silent(Duration::from_secs(12));
        assert_eq!((reason().as_deref(), gauge.get()), (Some("no answer from Kafka for 12 s"), 0));
        connection.up();
        assert_eq!((reason(), gauge.get()), (None, 1));

        let refusal = KafkaError::MessageConsumption(RDKafkaErrorCode::GroupAuthorizationFailed);
        connection.failed(&refusal, "");
        connection.up();
        assert!(reason().is_some_and(|reason| reason.starts_with("Kafka refuses: ")));
        tokio::time::advance(REFUSED).await;
        connection.up();
        assert_eq!(reason(), None);
        connection.failed(&KafkaError::MessageConsumption(RDKafkaErrorCode::BadCompression), "");
        assert_eq!(reason(), None, "that is the record's fault");
        assert!(readiness.missing().is_empty());

        let tls = "ssl://kafka:9093/bootstrap: SSL handshake failed: certificate verify failed";
        connection.failed(&KafkaError::Global(RDKafkaErrorCode::SSL), tls);
        assert_eq!(reason(), Some(format!("Kafka refuses: {tls}")));
        connection
            .failed(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(reason(), Some(format!("no Kafka broker can be reached: {tls}")));
    }
}
