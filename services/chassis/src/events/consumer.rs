//! The Kafka consumer: one per process, for all its topics.

use std::{collections::HashMap, sync::Arc, thread, time::Duration};

use anyhow::Context;
use parking_lot::Mutex;
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use tokio::{
    sync::{mpsc, oneshot, oneshot::error::RecvError},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    BatchHandler, CommittedOffsets, Handler, Observer, SideEffectHandler,
    batch::Batch,
    dispatcher::{Dispatcher, Subscriptions},
    metrics::Metrics,
    single::{AtLeastOnce, PerEvent, Transactional, WithSideEffect},
    subscription::{Subscription, SubscriptionContext},
};
use crate::{
    contract::{Envelope, Topic},
    database::Database,
    kafka::{
        Producer, Settings,
        connection::ConnectionHealth,
        health::Health,
        owned::Owned,
        poll::{self, ConsumerCallbacks, Input, Joined},
    },
    metrics::{IntCounter, Registry},
    readiness::Readiness,
};

/// How many records may wait between the poll thread and the dispatcher, which takes them out as fast as it can.
const INPUT_QUEUE: usize = 1024;
/// How long the last commit and leaving the group may take: the brokers may be away.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Consumes the topics of its handlers as one member of its service's group.
pub struct Consumer {
    service: &'static str,
    settings: Settings,
    producer: Producer,
    metrics: Metrics,
    panics: IntCounter,
    health: Health,
    subscriptions: Subscriptions,
    committed: CommittedOffsets,
}

impl Consumer {
    /// Creates a consumer without handlers; its group is the service's name. Dead letters are sent with the producer; panics of
    /// handlers are counted in `panics`, with the process' other panics.
    ///
    /// # Errors
    /// This process has a consumer already: its metrics are registered.
    pub fn new(
        service: &'static str,
        settings: &Settings,
        producer: &Producer,
        registry: &Registry,
        readiness: &Readiness,
        panics: &IntCounter,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            service,
            settings: settings.clone(),
            producer: producer.clone(),
            metrics: Metrics::register(registry)?,
            panics: panics.clone(),
            health: Health::new(readiness),
            subscriptions: HashMap::new(),
            committed: CommittedOffsets::default(),
        })
    }

    /// Returns the offsets that the group has committed. They are updated while the consumer runs.
    pub fn committed(&self) -> CommittedOffsets {
        self.committed.clone()
    }

    /// Hands a topic's events to a handler, each in a transaction of its own.
    ///
    /// # Errors
    /// The topic has a handler already.
    pub fn handle<H: Handler>(&mut self, database: &Database, handler: H) -> anyhow::Result<()> {
        let context = self.context::<H::Message>(H::TYPES);
        let attempt = Transactional { handler, database: database.clone() };
        self.subscribe(PerEvent { context, attempt })
    }

    /// Hands a topic's events to a handler that calls a third party before each transaction.
    ///
    /// # Errors
    /// The topic has a handler already.
    pub fn handle_with_side_effect<H: SideEffectHandler>(
        &mut self,
        database: &Database,
        handler: H,
    ) -> anyhow::Result<()> {
        let context = self.context::<H::Message>(H::TYPES);
        let attempt = WithSideEffect { handler, database: database.clone() };
        self.subscribe(PerEvent { context, attempt })
    }

    /// Hands a topic's events to a handler, several in one transaction.
    ///
    /// # Errors
    /// The topic has a handler already.
    pub fn handle_batches<H: BatchHandler>(
        &mut self,
        database: &Database,
        handler: H,
    ) -> anyhow::Result<()> {
        let context = self.context::<H::Message>(H::TYPES);
        self.subscribe(Batch { handler, database: database.clone(), context })
    }

    /// Shows a topic's events to an observer.
    ///
    /// # Errors
    /// The topic has a handler already.
    pub fn observe<H: Observer>(&mut self, observer: H) -> anyhow::Result<()> {
        let context = self.context::<H::Message>(H::TYPES);
        self.subscribe(PerEvent { context, attempt: AtLeastOnce { observer } })
    }

    fn context<M: Envelope>(&self, types: &'static [&'static str]) -> SubscriptionContext {
        let topic = M::Topic::NAME;
        SubscriptionContext {
            topic,
            group: self.service,
            types,
            settings: self.settings.clone(),
            producer: self.producer.clone(),
            metrics: self.metrics.topic(topic, self.service, &self.panics),
        }
    }

    fn subscribe(&mut self, subscription: impl Subscription + 'static) -> anyhow::Result<()> {
        let topic = subscription.context().topic;
        anyhow::ensure!(!self.subscriptions.contains_key(topic), "{topic} has a handler already");
        self.subscriptions.insert(topic, Arc::new(subscription));
        Ok(())
    }

    /// Consumes until the drain; then finishes what is in flight, for at most `grace`, commits, and leaves the group.
    /// `joined` is called once, when the group has its first assignment.
    ///
    /// # Errors
    /// The settings are invalid, or the client failed with a fatal error.
    pub async fn run(
        self,
        joined: impl FnOnce() + Send + 'static,
        draining: CancellationToken,
        grace: Duration,
    ) -> anyhow::Result<()> {
        let (sender, mut inputs) = mpsc::channel(INPUT_QUEUE);
        let callbacks = self.callbacks(sender, Box::new(joined));
        let consumer: BaseConsumer<ConsumerCallbacks> = self
            .settings
            .consumer(self.service)
            .create_with_context(callbacks)
            .context("create the Kafka consumer")?;
        let consumer = Arc::new(consumer);
        let topics: Vec<_> = self.subscriptions.keys().copied().collect();
        consumer.subscribe(&topics).context("subscribe")?;

        let mut polling = thread(Arc::clone(&consumer))?;
        let dispatcher = Dispatcher::new(
            consumer,
            self.subscriptions,
            self.settings,
            self.health,
            draining,
            self.committed,
        );
        tokio::select! {
            () = dispatcher.run(&mut inputs, grace) => {}
            early = &mut polling => return ended(early),
        }
        // The poll thread ends when the channel is closed. By then the client has the last offsets.
        drop(inputs);
        timeout(LEAVE_TIMEOUT, polling).await.map_or_else(
            |_| {
                tracing::warn!("the brokers do not answer: the last offsets may not be committed");
                Ok(())
            },
            ended,
        )
    }

    /// Returns the context for the client's callbacks.
    fn callbacks(&self, inputs: mpsc::Sender<Input>, joined: Joined) -> ConsumerCallbacks {
        ConsumerCallbacks {
            group: self.service,
            connection: ConnectionHealth::shown(
                "consumer",
                self.metrics.mesh_kafka_connected.clone(),
                self.health.brokers.clone(),
            ),
            inputs,
            joined: Mutex::new(Some(joined)),
            hand_over: self.settings.hand_over(),
            watermarks: Arc::default(),
            owned: Owned::new(self.service, self.metrics.mesh_consumer_lag.clone()),
            assigned: self.metrics.mesh_consumer_assigned_partitions.clone(),
            rebalances: self
                .metrics
                .mesh_consumer_rebalances_total
                .with_label_values(&[self.service]),
        }
    }
}

type Ended = oneshot::Receiver<Result<(), KafkaError>>;

fn ended(end: Result<Result<(), KafkaError>, RecvError>) -> anyhow::Result<()> {
    end.context("the thread that polls Kafka panicked")?.context("poll Kafka")
}

fn thread(consumer: Arc<BaseConsumer<ConsumerCallbacks>>) -> anyhow::Result<Ended> {
    let (end, ended) = oneshot::channel();
    let poll = move || {
        // The receiver is gone if the process did not wait for this thread any longer.
        end.send(poll::run(consumer)).ok();
    };
    thread::Builder::new()
        .name("kafka poll".into())
        .spawn(poll)
        .context("start the thread that polls Kafka")?;
    Ok(ended)
}
