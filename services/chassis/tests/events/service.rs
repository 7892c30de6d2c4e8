//! A service for the tests: a ledger of the events that were applied, and handlers that fail on demand.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chassis::{
    Error, Kind,
    database::{self, Database, Migrations, Step, Tx},
    events::{
        BatchHandler, Consumer, Event, Handler, Publish, SideEffectHandler,
        outbox::{self, Relay},
    },
    kafka::{self, Producer, Profile},
    messaging,
    metrics::{IntCounter, Registry},
    readiness::Readiness,
};
use parking_lot::Mutex;
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    contract::{Change, OrderEvent, OrderPaid, OrderPlaced, PLACED},
};

const TABLES: Migrations = Migrations {
    steps: &[Step {
        name: "0001_ledger",
        sqlite: "create table ledger (seq integer primary key, id text, key text, revision bigint);",
        postgres: "create table ledger (seq bigint generated always as identity, id text, key text, revision bigint);",
    }],
    table: "migrations",
};

/// One replica of a service.
pub(crate) struct Service {
    pub(crate) database: Database,
    pub(crate) registry: Registry,
    pub(crate) readiness: Readiness,
    tasks: JoinSet<anyhow::Result<()>>,
    draining: CancellationToken,
    relay_draining: CancellationToken,
}

/// The parts and the settings of a service to start.
pub(crate) struct Plan<'a> {
    pub(crate) name: &'static str,
    pub(crate) folder: &'a Path,
    pub(crate) kafka: kafka::Settings,
    pub(crate) outbox: outbox::Settings,
    pub(crate) relays: bool,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(name: &'static str, folder: &'a Path, broker: &Broker) -> Self {
        let kafka = kafka::Settings {
            brokers: broker.address.clone(),
            log_id: broker.log.clone(),
            profile: Profile::Embedded,
            attempts: 3,
            backoff: Duration::from_millis(5),
            ..kafka::Settings::default()
        };
        Self { name, folder, kafka, outbox: outbox::Settings::default(), relays: true }
    }

    pub(crate) fn without_relay(mut self) -> Self {
        self.relays = false;
        self
    }

    /// Starts the service; `wire` adds its handlers.
    pub(crate) async fn start(self, wire: impl FnOnce(&mut Consumer, &Database)) -> Service {
        self.launch(|consumer, database| {
            wire(consumer, database);
            true
        })
        .await
    }

    /// Starts a service that only publishes.
    pub(crate) async fn start_without_handlers(self) -> Service {
        self.launch(|_, _| false).await
    }

    /// Starts the service; `wire` returns whether it has added handlers.
    async fn launch(self, wire: impl FnOnce(&mut Consumer, &Database) -> bool) -> Service {
        crate::traces::record();
        let registry = Registry::new();
        let url = format!("sqlite://{}/{}.db", self.folder.display(), self.name);
        let config = database::Config { url: url.into(), ..database::Config::default() };
        let database =
            Database::connect(&config, &[chassis::events::MIGRATIONS, TABLES], &registry)
                .await
                .unwrap();
        let metrics = messaging::Metrics::register(&registry).unwrap();
        let producer = Producer::new(self.name, &self.kafka, metrics);
        let panics: IntCounter = registry.register("mesh_panics_total", "Panics.", &[]).unwrap();
        let readiness = Readiness::new(&registry).unwrap();
        let mut consumer =
            Consumer::new(self.name, &self.kafka, &producer, &registry, &readiness, &panics)
                .unwrap();
        let consumes = wire(&mut consumer, &database);
        let (draining, relay_draining) = (CancellationToken::new(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        if self.relays {
            let relay =
                Relay::new(&database, &producer, self.name, &self.outbox, &registry).unwrap();
            let relay = relay.purging_inbox(consumer.committed());
            tasks.spawn(relay.run(relay_draining.clone()));
        }
        if consumes {
            let joined = CancellationToken::new();
            let released = joined.clone();
            tasks.spawn(consumer.run(
                move || released.cancel(),
                draining.clone(),
                Duration::from_secs(5),
            ));
            joined.cancelled().await;
        }
        Service { database, registry, readiness, tasks, draining, relay_draining }
    }
}

impl Service {
    /// Publishes one event of an order, in a transaction of its own.
    pub(crate) async fn publish(&self, order: &str, customer: &str, revision: i32) {
        let mut tx = self.database.begin("test").await.unwrap();
        tx.publish(&event(order, customer, revision)).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Returns the key and the revision of each event that was applied, in order.
    pub(crate) async fn ledger(&self) -> Vec<(String, i64)> {
        self.database
            .query("ledger", "select key, revision from ledger order by seq")
            .all()
            .await
            .unwrap()
    }

    pub(crate) async fn until_applied(&self, count: usize) -> Vec<(String, i64)> {
        until(async || self.ledger().await.len() >= count).await;
        self.ledger().await
    }

    /// The reason of a condition; empty if it is not raised.
    pub(crate) fn degraded(&self, name: &str) -> String {
        let raised = self.readiness.degraded();
        raised.into_iter().find(|one| one.name == name).map(|one| one.reason).unwrap_or_default()
    }

    /// The sum of all samples of a metric whose labels contain this text.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.registry.text();
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(labels));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// Stops the service as SIGTERM would.
    pub(crate) async fn drain(mut self) {
        self.draining.cancel();
        self.relay_draining.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
        self.database.close().await;
    }

    /// Stops the service without a drain: no event is finished.
    pub(crate) async fn crash(mut self) {
        self.tasks.shutdown().await;
        self.database.close().await;
    }
}

/// ThirdParty until a condition holds.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    for _ in 0..6000 {
        if condition().await {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain");
}

pub(crate) fn event(order: &str, customer: &str, revision: i32) -> OrderEvent {
    OrderEvent {
        order_id: order.into(),
        customer: customer.into(),
        revision,
        change: Some(Change::Placed(OrderPlaced {})),
    }
}

/// An event that the handlers do not ask for.
pub(crate) fn paid(order: &str) -> OrderEvent {
    OrderEvent { change: Some(Change::Paid(OrderPaid {})), ..event(order, "ada", 1) }
}

/// Writes events into the ledger. The customer decides the outcome: `ada` succeeds, `reject` fails permanently, `down` fails
/// temporarily, `panic` panics, `flaky` fails the first time.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    /// How long each event takes.
    pub(crate) delay: Duration,
}

impl Ledger {
    async fn behave(&self, event: &Event<OrderEvent>) -> Result<(), Error> {
        sleep(self.delay).await;
        match event.body.customer.as_str() {
            "reject" => return Err(Error::new(Kind::Invalid, "no such product")),
            "down" => return Err(Error::new(Kind::Unavailable, "the third party does not answer")),
            "panic" => panic!("out of order"),
            "flaky" => {
                let mut seen = self.seen.lock();
                if !seen.contains(&event.id) {
                    seen.push(event.id.clone());
                    return Err(Error::new(Kind::Unavailable, "not yet"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

pub(crate) async fn write(event: &Event<OrderEvent>, tx: &mut Tx) -> Result<(), database::Error> {
    tx.query("insert into ledger (id, key, revision) values ($1, $2, $3)")
        .bind(&*event.id)
        .bind(&*event.key)
        .bind(i64::from(event.body.revision))
        .execute()
        .await?;
    Ok(())
}

impl Handler for Ledger {
    type Message = OrderEvent;
    type Error = Error;
    const TYPES: &'static [&'static str] = &[PLACED];

    async fn handle(&self, event: Event<OrderEvent>, tx: &mut Tx) -> Result<(), Error> {
        write(&event, tx).await?;
        self.behave(&event).await
    }
}

/// Calls a third party first, outside of a transaction, so that the database stays free. Events of the customer `slow` wait for
/// the answer.
#[derive(Clone)]
pub(crate) struct ThirdParty {
    pub(crate) calls: Arc<AtomicUsize>,
    /// One permit is one answer of the third party.
    pub(crate) gate: Arc<Semaphore>,
}

impl Default for ThirdParty {
    fn default() -> Self {
        Self { calls: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }
}

impl SideEffectHandler for ThirdParty {
    type Message = OrderEvent;
    type Error = Error;
    type Answer = ();
    const TYPES: &'static [&'static str] = <Ledger as Handler>::TYPES;

    async fn call(&self, event: &Event<OrderEvent>) -> Result<(), Error> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if event.body.customer == "slow" {
            self.gate.acquire().await.unwrap().forget();
        }
        Ok(())
    }

    async fn handle(&self, event: Event<OrderEvent>, (): (), tx: &mut Tx) -> Result<(), Error> {
        write(&event, tx).await?;
        Ok(())
    }
}

/// Like the ledger, with several events at once.
#[derive(Default)]
pub(crate) struct BatchLedger(pub(crate) Ledger);

impl BatchHandler for BatchLedger {
    type Message = OrderEvent;
    type Error = Error;
    const TYPES: &'static [&'static str] = &[PLACED];

    async fn handle(&self, events: &[Event<OrderEvent>], tx: &mut Tx) -> Result<(), Error> {
        for event in events {
            write(event, tx).await?;
            self.0.behave(event).await?;
        }
        Ok(())
    }
}
