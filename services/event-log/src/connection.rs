//! Why Kafka cannot be used: the client library reports that no broker answers, and reports the cause separately, during polls.

use std::{sync::Arc, time::Duration};

use chassis::{Error, Kind, text::printable};
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::Metadata,
};
use tokio::time::Instant;

/// The maximum length of a cause: a line or two of a terminal.
const LONGEST: usize = 300;

/// How long to wait for the cause of a failure.
const CAUSE: Duration = Duration::from_secs(2);

/// The last error of a client's connections; clones belong to the same client.
#[derive(Clone, Default)]
pub struct ConnectionErrors(Arc<Mutex<String>>);

impl ConnectionErrors {
    /// Makes the library log errors, and nothing else.
    pub fn of(config: &mut ClientConfig) -> Self {
        config.set_log_level(RDKafkaLogLevel::Error);
        Self::default()
    }

    /// A message that these brokers do not answer, with the cause if it is known.
    pub fn explain(&self, brokers: &str) -> String {
        let cause = self.0.lock();
        let colon = if cause.is_empty() { "" } else { ": " };
        format!("no answer from Kafka at {brokers}{colon}{cause}")
    }

    fn remember(&self, text: &str) {
        // The prefix `[thrd:…]: ` names the thread that reported the error.
        let text = text.split_once("]: ").map_or(text, |(_, text)| text);
        *self.0.lock() = printable(text, LONGEST);
    }
}

impl ClientContext for ConnectionErrors {
    fn log(&self, _: RDKafkaLogLevel, _: &str, text: &str) {
        self.remember(text);
    }

    fn error(&self, error: KafkaError, text: &str) {
        // The error "all brokers are down" is no cause.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.remember(text);
        }
    }
}

impl ConsumerContext for ConnectionErrors {}

/// The metadata of the brokers, with all topics.
///
/// # Errors
/// No broker answers in time, or the brokers cannot be used; the message says why.
pub fn metadata(
    consumer: &BaseConsumer<ConnectionErrors>,
    brokers: &str,
    patience: Duration,
) -> Result<Metadata, Error> {
    let asked = consumer.fetch_metadata(None, patience);
    if asked.is_err() {
        // The library reports the cause only to a caller that polls, possibly a moment later: brokers delay the answer to a
        // failed login on purpose. This consumer has no subscription, so polling loses no record.
        let end = Instant::now() + CAUSE;
        while consumer.context().0.lock().is_empty() && Instant::now() < end {
            drop(consumer.poll(Duration::from_millis(20)));
        }
    }
    asked.map_err(|cause| {
        let text = consumer.context().explain(brokers);
        Error::new(Kind::Unavailable, text).reason("KAFKA_UNAVAILABLE").source(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreachable_broker_is_an_error_with_the_cause() {
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let brokers = probe.local_addr().unwrap().to_string();
        drop(probe);
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &brokers).set("group.id", "test");
        let connection_errors = ConnectionErrors::of(&mut config);
        let consumer = config.create_with_context(connection_errors).unwrap();
        let error = metadata(&consumer, &brokers, Duration::from_secs(10)).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("no answer from Kafka at {brokers}: ")), "{text}");
        assert!(text.contains("Connection refused"), "{text}");
    }
}
