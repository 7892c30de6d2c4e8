//! The client of librdkafka that sends, and the thread that polls it for acknowledgements.
//!
//! It is not `FutureProducer`, whose thread ends each of its ten polls a second with a busy wait of almost a millisecond: a poll
//! lasts until a deadline, and librdkafka waits for whole milliseconds only. That was half the CPU time of an idle mesh.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    error::KafkaError,
    message::{DeliveryResult, Message as _},
    producer::{BaseProducer, ProducerContext},
};
use tokio::sync::oneshot;

use super::ConnectionHealth;

/// How long one poll lasts. An acknowledgement ends the wait at once, but between two polls the thread checks whether it should
/// stop. The microseconds are for the time between the computation of the deadline and that of the wait: without them, a poll
/// would wait for 199 ms and spin for the rest.
const POLL: Duration = Duration::from_micros(200_020);

/// Where a record was stored.
pub(super) struct Delivery {
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// A client; its thread ends when it is dropped.
pub(super) struct Client {
    producer: Arc<BaseProducer<Callbacks>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What librdkafka calls back, in polls.
pub(super) struct Callbacks(Arc<ConnectionHealth>);

impl Client {
    pub(super) fn new(
        config: &ClientConfig,
        connection: Arc<ConnectionHealth>,
    ) -> Result<Self, KafkaError> {
        let producer = BaseProducer::from_config_and_context(config, Callbacks(connection))?;
        let (producer, stop) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let (polled, stopped) = (Arc::clone(&producer), Arc::clone(&stop));
        let poll = move || {
            while !stopped.load(Ordering::Acquire) {
                polled.poll(POLL);
            }
        };
        let thread = Builder::new()
            .name("kafka acks".to_owned())
            .spawn(poll)
            .map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self { producer, stop, thread: Some(thread) })
    }
}

impl Drop for Client {
    /// Waits for the thread, so that the client is destroyed before the process ends.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the Kafka producer panicked");
        }
    }
}

impl Deref for Client {
    type Target = BaseProducer<Callbacks>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.0.line(level, facility, text);
    }

    fn error(&self, error: KafkaError, text: &str) {
        self.0.failed(&error, text);
    }
}

impl ProducerContext for Callbacks {
    /// A box, because librdkafka keeps it as a pointer.
    type DeliveryOpaque = Box<oneshot::Sender<Result<Delivery, KafkaError>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, acknowledge: Self::DeliveryOpaque) {
        let delivery = match result {
            Ok(message) => {
                Ok(Delivery { partition: message.partition(), offset: message.offset() })
            }
            Err((error, _)) => Err(error.clone()),
        };
        // It only fails if the sender of the record no longer waits for it.
        acknowledge.send(delivery).ok();
    }
}
