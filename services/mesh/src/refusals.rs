//! Why Kafka cannot be used: the client library says that no broker answers, and the cause beside it, to who polls it.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use chassis::text::printable;
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::Metadata,
};
use tokio::time::Instant;

/// As much of a cause as a line of a terminal or two can take.
const LONGEST: usize = 300;

/// How long the cause of a failure is waited for.
const CAUSE: Duration = Duration::from_secs(2);

/// What a client's connections failed with; clones are of the same client.
#[derive(Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<String>>);

impl Refusals {
    /// Has the library log what fails, and nothing else.
    pub(crate) fn of(config: &mut ClientConfig) -> Self {
        config.set_log_level(RDKafkaLogLevel::Error);
        Self::default()
    }

    /// That there is no answer from these brokers, and why if that is known.
    pub(crate) fn explain(&self, brokers: &str) -> String {
        let cause = self.0.lock();
        let colon = if cause.is_empty() { "" } else { ": " };
        format!("no answer from Kafka at {brokers}{colon}{cause}")
    }

    fn remember(&self, text: &str) {
        // `[thrd:…]: ` is whose thread it was.
        let text = text.split_once("]: ").map_or(text, |(_, text)| text);
        *self.0.lock() = printable(text, LONGEST);
    }
}

impl ClientContext for Refusals {
    fn log(&self, _: RDKafkaLogLevel, _: &str, text: &str) {
        self.remember(text);
    }

    fn error(&self, error: KafkaError, text: &str) {
        // That all of them are away is no cause.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.remember(text);
        }
    }
}

impl ConsumerContext for Refusals {}

/// The brokers' topics.
///
/// # Errors
/// No broker answers in time, or none that can be used; says why.
pub(crate) fn metadata(
    consumer: &BaseConsumer<Refusals>,
    brokers: &str,
    patience: Duration,
) -> anyhow::Result<Metadata> {
    let asked = consumer.fetch_metadata(None, patience);
    if asked.is_err() {
        // The cause is told to who polls, and may come a moment later: a login that fails is answered late, on purpose. It
        // subscribes to nothing, so no record is lost by it.
        let end = Instant::now() + CAUSE;
        while consumer.context().0.lock().is_empty() && Instant::now() < end {
            drop(consumer.poll(Duration::from_millis(20)));
        }
    }
    asked.with_context(|| consumer.context().explain(brokers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_away_is_told_with_the_cause() {
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let brokers = probe.local_addr().unwrap().to_string();
        drop(probe);
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &brokers).set("group.id", "test");
        let refusals = Refusals::of(&mut config);
        let consumer = config.create_with_context(refusals).unwrap();
        let error = metadata(&consumer, &brokers, Duration::from_secs(10)).unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with(&format!("no answer from Kafka at {brokers}: ")), "{told}");
        assert!(told.contains("Connection refused"), "{told}");
    }
}
