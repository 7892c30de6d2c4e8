//! Sends records to Kafka: one client per process, created when it is first needed.

mod client;

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    Context, KeyValue,
    trace::{SpanKind, Status, TraceContextExt, Tracer},
};
use parking_lot::Mutex;
use rdkafka::{
    error::KafkaError,
    message::OwnedHeaders,
    producer::{BaseRecord, Producer as _},
    types::RDKafkaErrorCode,
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use super::{Settings, connection::ConnectionHealth, headers};
use crate::{messaging, telemetry};
use client::{Client, Delivery};

/// How long one request about the cluster may take.
const ASK: Duration = Duration::from_secs(2);

/// Sends records; cheap to clone.
#[derive(Clone)]
pub struct Producer {
    inner: Arc<Inner>,
}

struct Inner {
    service: &'static str,
    settings: Settings,
    metrics: messaging::Metrics,
    connection: Arc<ConnectionHealth>,
    client: Mutex<Option<Arc<Client>>>,
}

/// A record to be sent.
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) payload: Option<&'a [u8]>,
    pub(crate) headers: OwnedHeaders,
    /// The context whose span is the parent of the record's span.
    pub(crate) parent: &'a Context,
    /// Attributes of the span, beside the destination.
    pub(crate) attributes: Vec<KeyValue>,
}

/// A record that was handed to the client and is not acknowledged yet.
pub(crate) struct Sending {
    topic: String,
    delivery: oneshot::Receiver<Result<Delivery, KafkaError>>,
    client: Arc<Client>,
    producer: Producer,
    span: Context,
    started: Instant,
}

impl Producer {
    /// Creates a producer that connects when it is first needed, or earlier if `connect` is called.
    pub fn new(service: &'static str, settings: &Settings, metrics: messaging::Metrics) -> Self {
        let connection = Arc::new(ConnectionHealth::new("producer"));
        let inner = Inner {
            service,
            settings: settings.clone(),
            metrics,
            connection,
            client: Mutex::new(None),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Connects before the first record is sent: that record would wait up to a second for the connection.
    pub(crate) fn connect(&self) {
        if let Err(error) = self.client() {
            tracing::warn!(error = %error, "the Kafka producer cannot be made yet");
        }
    }

    /// Returns the id of the log that the brokers keep. Waits until a broker answers.
    pub(crate) async fn log_id(&self) -> Result<String, KafkaError> {
        if !self.inner.settings.log_id.is_empty() {
            return Ok(self.inner.settings.log_id.clone());
        }
        let client = self.client()?;
        loop {
            let asked = Arc::clone(&client);
            let answer =
                tokio::task::spawn_blocking(move || asked.client().fetch_cluster_id(ASK)).await;
            if let Ok(Some(id)) = answer {
                return Ok(id);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Whether a topic exists and may be written to, as a broker says. Asking also makes the client notice a new topic.
    pub(crate) async fn takes(&self, topic: &str) -> bool {
        let (Ok(client), topic) = (self.client(), topic.to_owned()) else { return false };
        let ask = move || client.client().fetch_metadata(Some(&topic), ASK);
        match tokio::task::spawn_blocking(ask).await {
            Ok(Ok(metadata)) => metadata
                .topics()
                .iter()
                .all(|topic| topic.error().is_none() && !topic.partitions().is_empty()),
            _ => false,
        }
    }

    /// Hands a record to the client. Records of one key arrive in the order of these calls.
    pub(crate) async fn send(&self, outgoing: Outgoing<'_>) -> Result<Sending, KafkaError> {
        let Outgoing { topic, key, payload, headers, parent, attributes } = outgoing;
        let client = self.client()?;
        let span = span(topic, parent, attributes);
        let (acknowledge, delivery) = oneshot::channel();
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(acknowledge))
            .headers(headers::inject(&span, headers));
        record.key = key;
        record.payload = payload;
        let started = Instant::now();
        loop {
            match client.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), same)) => {
                    record = same;
                    sleep(Duration::from_millis(5)).await;
                }
                Err((error, _)) => {
                    self.replace_if_broken(&client);
                    span.span().set_status(Status::error(error.to_string()));
                    span.span().end();
                    return Err(error);
                }
            }
        }
        Ok(Sending {
            topic: topic.to_owned(),
            delivery,
            client,
            producer: self.clone(),
            span,
            started,
        })
    }

    fn client(&self) -> Result<Arc<Client>, KafkaError> {
        let mut slot = self.inner.client.lock();
        if let Some(client) = &*slot {
            return Ok(Arc::clone(client));
        }
        let config = self.inner.settings.producer(self.inner.service);
        let client = Arc::new(Client::new(&config, Arc::clone(&self.inner.connection))?);
        *slot = Some(Arc::clone(&client));
        Ok(client)
    }

    /// An idempotent producer that lost its sequence refuses every further record, so the next one gets a new client.
    fn replace_if_broken(&self, client: &Arc<Client>) {
        let Some((_, reason)) = client.client().fatal_error() else { return };
        let mut slot = self.inner.client.lock();
        if slot.as_ref().is_some_and(|current| Arc::ptr_eq(current, client)) {
            tracing::error!(error = %reason, "the Kafka producer is broken and replaced");
            *slot = None;
        }
    }
}

impl Sending {
    /// Waits for the brokers' acknowledgement.
    pub(crate) async fn acknowledged(self) -> Result<(), KafkaError> {
        let Self { topic, delivery, client, producer, span, started } = self;
        let result = match delivery.await {
            Ok(result) => result,
            Err(_) => Err(KafkaError::Canceled),
        };
        let outcome = match &result {
            Ok(delivered) => {
                producer.inner.connection.up();
                span.span().set_attribute(KeyValue::new(
                    "messaging.destination.partition.id",
                    delivered.partition.to_string(),
                ));
                span.span()
                    .set_attribute(KeyValue::new("messaging.kafka.offset", delivered.offset));
                "ok"
            }
            Err(error) => {
                producer.replace_if_broken(&client);
                span.span().set_status(Status::error(error.to_string()));
                "error"
            }
        };
        span.span().end();
        let attached = span.attach();
        let durations = &producer.inner.metrics.messaging_client_operation_duration_seconds;
        durations.with(&[&topic, "send", outcome]).observe(started.elapsed().as_secs_f64());
        drop(attached);
        result.map(drop)
    }
}

/// <https://opentelemetry.io/docs/specs/semconv/messaging/kafka/>
fn span(topic: &str, parent: &Context, attributes: Vec<KeyValue>) -> Context {
    let tracer = telemetry::tracer();
    let own = [
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.destination.name", topic.to_owned()),
        KeyValue::new("messaging.operation.name", "send"),
        KeyValue::new("messaging.operation.type", "send"),
    ];
    let builder = tracer
        .span_builder(format!("send {topic}"))
        .with_kind(SpanKind::Producer)
        .with_attributes(own.into_iter().chain(attributes));
    parent.with_span(builder.start_with_context(tracer, parent))
}
