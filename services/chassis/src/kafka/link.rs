//! What librdkafka tells about its connections, told on: every outage once.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::{config::RDKafkaLogLevel, error::KafkaError, types::RDKafkaErrorCode};

use crate::metrics::IntGauge;

/// Connections are made again by the library, and commits by the dispatcher.
const MENDED: [&str; 2] = ["FAIL", "COMMITFAIL"];

/// The state of one client's connections.
pub(super) struct Link {
    client: &'static str,
    down: AtomicBool,
    /// Where it is shown.
    connected: Option<IntGauge>,
}

impl Link {
    pub(super) fn new(client: &'static str) -> Self {
        Self { client, down: AtomicBool::new(false), connected: None }
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
            _ => tracing::warn!(kafka.client = self.client, error = %error, "Kafka refused"),
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
                tracing::warn!(kafka.client = client, kafka.facility = facility, "{text}");
            }
            Error | Warning | Notice | Info => {
                tracing::debug!(kafka.client = client, kafka.facility = facility, "{text}");
            }
            Debug => tracing::trace!(kafka.client = client, kafka.facility = facility, "{text}"),
        }
    }
}
