//! Tests of a shipment with the handler of the consumer, the ledger and the timers.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use chassis::{
    Identity,
    database::{self, Database},
    events::{BatchHandler, Event},
    metrics::Registry,
    telemetry::{self, Telemetry},
};
use futures::TryStreamExt;
use proto::{
    orders::v1::{OrderCancelled, OrderEvent, OrderPaid, order_event},
    shipping::v1::{
        ListShipmentsRequest, shipment::State as Listed, shipping_server::Shipping as _,
    },
};
use tempfile::TempDir;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    domain::Delays,
    inbound::{clock, grpc::Grpc, orders::OnOrder},
    metrics::Metrics,
    shipments::Shipments,
    store::Store,
};

/// The longest that a step may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

const PAID: order_event::Event = order_event::Event::Paid(OrderPaid {});
const CANCELLED: order_event::Event = order_event::Event::Cancelled(OrderCancelled { reason: 0 });

const AT_ONCE: Delays = Delays { dispatch_after: Duration::ZERO, deliver_after: Duration::ZERO };
const NEVER: Delays = Delays { dispatch_after: Duration::MAX, deliver_after: Duration::MAX };

/// One replica.
struct Replica {
    shipments: Arc<Shipments>,
    database: Database,
    registry: Registry,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Replica {
    async fn new(folder: &Path, delays: Delays) -> Self {
        let registry = Registry::new();
        let url = format!("sqlite://{}/shipping.db", folder.display());
        let config = database::Config { url: url.into(), ..database::Config::local("shipping") };
        let database = Database::connect(
            &config,
            &[chassis::events::MIGRATIONS, chassis::migrations!["0001_shipments", "0002_trace"]],
            &registry,
        )
        .await
        .unwrap();
        let metrics = Metrics::register(&registry).unwrap();
        let shipments = Arc::new(Shipments::new(Store::open(database.clone()), delays, metrics));
        Self { shipments, database, registry, tasks: JoinSet::new() }
    }

    fn run_timers(&mut self) {
        self.tasks.spawn(clock::fire(Arc::clone(&self.shipments)));
    }

    /// Delivers a batch as the consumer does.
    async fn deliver(&self, batch: &[Event<OrderEvent>]) {
        let mut tx = self.database.begin("orders.events").await.unwrap();
        OnOrder::new(&self.shipments).handle(batch, &mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn published(&self) -> Vec<String> {
        let types = self
            .database
            .query("outbox", "select type from outbox order by seq")
            .all::<(String,)>()
            .await
            .unwrap();
        types.into_iter().map(|(name,)| name.replace("mesh.shipping.v1.Shipment", "")).collect()
    }

    async fn until_published(&self, types: &[&str]) {
        timeout(TIMEOUT, async {
            while self.published().await != types {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{types:?} are not published"));
    }

    async fn listed(&self) -> Vec<Listed> {
        let ledger = Grpc { shipments: Arc::clone(&self.shipments) };
        let listed =
            ledger.list_shipments(tonic::Request::new(ListShipmentsRequest {})).await.unwrap();
        listed.into_inner().map_ok(|shipment| shipment.state()).try_collect().await.unwrap()
    }
}

/// The id of the order `o-1`, `o-2`, …
fn id(order: &str) -> String {
    let number: u32 = order.trim_start_matches("o-").parse().unwrap();
    format!("00000000-0000-4000-8000-{number:012}")
}

fn event(order: &str, event: order_event::Event, traceparent: &str) -> Event<OrderEvent> {
    let body = OrderEvent {
        order_id: id(order),
        customer: "ada".into(),
        occurred_at_us: 1,
        revision: 2,
        event: Some(event),
    };
    let context = telemetry::context_of(traceparent);
    Event {
        id: format!("e-{order}"),
        key: order.into(),
        body,
        published_at: std::time::SystemTime::now(),
        context,
    }
}

/// The paused clock advances only while all tasks sleep: a timer that waited for the longest sleep would need a whole second.
#[tokio::test(start_paused = true)]
async fn a_shipment_without_delays_is_dispatched_and_delivered_at_once() {
    let folder = TempDir::new().unwrap();
    let mut replica = Replica::new(folder.path(), AT_ONCE).await;
    replica.run_timers();
    // The timers' task goes to sleep before the event arrives.
    tokio::task::yield_now().await;
    let started = Instant::now();
    replica.deliver(&[event("o-1", PAID, "")]).await;
    replica.until_published(&["Dispatched", "Delivered"]).await;
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert_eq!(replica.listed().await, [Listed::Delivered]);
    assert!(
        replica.registry.text().contains("mesh_shipping_shipments_total{state=\"delivered\"} 1")
    );
    assert!(replica.registry.text().contains("mesh_shipping_dispatch_delay_seconds_count 1"));
}

#[tokio::test]
async fn a_timer_fires_in_another_process_than_the_one_that_set_it() {
    let folder = TempDir::new().unwrap();
    let delays = Delays { dispatch_after: Duration::from_millis(50), deliver_after: Duration::MAX };
    Replica::new(folder.path(), delays).await.deliver(&[event("o-1", PAID, "")]).await;
    let mut next = Replica::new(folder.path(), delays).await;
    assert_eq!(next.listed().await, [Listed::Scheduled]);
    next.run_timers();
    next.until_published(&["Dispatched"]).await;
    next.shipments.measure().await.unwrap();
    assert!(next.registry.text().contains("mesh_shipping_timers_pending 1"));
}

#[tokio::test]
async fn a_batch_with_several_events_of_an_order_applies_them_in_order() {
    let folder = TempDir::new().unwrap();
    let replica = Replica::new(folder.path(), NEVER).await;
    let batch = [
        ("o-1", PAID),
        ("o-2", PAID),
        ("o-1", CANCELLED),
        ("o-2", PAID),
        ("o-3", CANCELLED),
        ("o-3", PAID),
    ];
    replica.deliver(&batch.map(|(order, what)| event(order, what, ""))).await;
    assert_eq!(replica.listed().await, [Listed::Cancelled, Listed::Scheduled]);
    assert!(replica.published().await.is_empty());
    assert_eq!(replica.shipments.fire().await.unwrap(), 0);
}

#[tokio::test]
async fn a_dispatched_parcel_of_a_cancelled_order_is_returned() {
    let folder = TempDir::new().unwrap();
    let replica =
        Replica::new(folder.path(), Delays { dispatch_after: Duration::ZERO, ..NEVER }).await;
    replica.deliver(&[event("o-1", PAID, "")]).await;
    assert_eq!(replica.shipments.fire().await.unwrap(), 1);
    replica.deliver(&[event("o-1", CANCELLED, "")]).await;
    assert_eq!(replica.published().await, ["Dispatched", "Returned"]);
    assert_eq!(replica.listed().await, [Listed::Returned]);
    assert_eq!(replica.shipments.until_due().await.unwrap(), None);
}

#[tokio::test]
async fn two_replicas_fire_each_timer_once() {
    let folder = TempDir::new().unwrap();
    let (mut one, mut other) =
        (Replica::new(folder.path(), AT_ONCE).await, Replica::new(folder.path(), AT_ONCE).await);
    let orders: Vec<_> = (0..200).map(|number| event(&format!("o-{number}"), PAID, "")).collect();
    one.deliver(&orders).await;
    one.run_timers();
    other.run_timers();
    timeout(TIMEOUT, async {
        while one.listed().await.iter().any(|state| *state != Listed::Delivered) {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("all are delivered in the end");
    let published = one.published().await;
    for word in ["Dispatched", "Delivered"] {
        assert_eq!(published.iter().filter(|name| *name == word).count(), orders.len(), "{word}");
    }
}

/// A batch has events of many traces; what follows from each event belongs to its trace, also after the timer.
#[tokio::test]
async fn the_events_of_an_order_in_a_batch_continue_its_own_trace() {
    let identity =
        Identity { name: "shipping", version: "0", revision: "unknown", services: &["shipping"] };
    let quiet = telemetry::Log { filter: "off".into(), ..telemetry::Log::default() };
    Telemetry::start(identity, &telemetry::Settings::default(), &quiet, &Registry::new()).unwrap();
    let folder = TempDir::new().unwrap();
    let replica = Replica::new(folder.path(), AT_ONCE).await;
    let traces = ["0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"];
    let parents = traces.map(|trace| format!("00-{trace}-b7ad6b7169203331-01"));
    replica.deliver(&[event("o-1", PAID, &parents[0]), event("o-2", PAID, &parents[1])]).await;
    while replica.shipments.fire().await.unwrap() > 0 {}
    let sql = "select key, traceparent from outbox order by key, seq";
    let rows = replica.database.query("outbox", sql).all::<(String, String)>().await.unwrap();
    let found: Vec<_> =
        rows.iter().map(|(order, parent)| (order.as_str(), &parent[3..35])).collect();
    let (first, second) = (id("o-1"), id("o-2"));
    let [first, second] = [(first.as_str(), traces[0]), (second.as_str(), traces[1])];
    assert_eq!(found, [first, first, second, second]);
    let spans: BTreeSet<_> = rows.iter().map(|(_, parent)| parent).collect();
    assert_eq!(spans.len(), rows.len(), "each step is a span of its own");
}

/// The timer's events carry the context of the event that set the timer.
#[tokio::test]
async fn the_events_of_a_timer_carry_the_tracestate_and_baggage_of_the_order() {
    telemetry::propagate();
    let folder = TempDir::new().unwrap();
    let replica = Replica::new(folder.path(), AT_ONCE).await;
    let trace = telemetry::Kept {
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01".into()),
        tracestate: Some("vendor=1,other=2".into()),
        baggage: Some("plan=gold".into()),
    };
    let paid = Event { context: trace.context(), ..event("o-1", PAID, "") };
    replica.deliver(&[paid]).await;
    while replica.shipments.fire().await.unwrap() > 0 {}
    let sql = "select tracestate, baggage from outbox order by seq";
    let rows = replica.database.query("outbox", sql).all::<(String, String)>().await.unwrap();
    let passed_on = ("vendor=1,other=2".to_owned(), "plan=gold".to_owned());
    assert_eq!(rows, [passed_on.clone(), passed_on]);
}
