use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use rdkafka::config::FromClientConfigAndContext as _;
use tokio::{sync::Semaphore, time::advance};

use super::*;
use crate::{
    events::{metrics::Metrics, subscription::SubscriptionContext},
    kafka::{Producer, connection::ConnectionHealth, owned},
    messaging,
    metrics::{IntCounter, Registry},
    readiness::Readiness,
};

const TOPIC: &str = "orders.events";

/// Longer than the time after which a partition counts as stuck.
const STUCK_FOR: Duration = Duration::from_secs(31);

/// A handler that ends when the test lets it, and counts how many run at once.
struct Gated {
    context: SubscriptionContext,
    gate: Arc<Semaphore>,
    /// Whether it blocks its thread while it waits, as a handler that computes does.
    blocks: bool,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// Counted for as long as a handler lives.
struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Subscription for Gated {
    fn context(&self) -> &SubscriptionContext {
        &self.context
    }

    fn batches(&self) -> bool {
        false
    }

    fn process(
        self: Arc<Self>,
        records: Vec<Record>,
        _: CancellationToken,
    ) -> BoxFuture<'static, Vec<i64>> {
        Box::pin(async move {
            let inside = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            let _inside = Inside(Arc::clone(&self.now));
            self.most.fetch_max(inside, Ordering::SeqCst);
            if self.blocks {
                while self.gate.available_permits() == 0 {
                    std::thread::yield_now();
                }
            }
            self.gate.acquire().await.unwrap().forget();
            records.iter().map(|record| record.offset).collect()
        })
    }
}

struct Scene {
    dispatcher: Dispatcher,
    readiness: Readiness,
    gate: Arc<Semaphore>,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// A test that fails does not wait for handlers that block their threads.
impl Drop for Scene {
    fn drop(&mut self) {
        self.gate.add_permits(100);
    }
}

/// A dispatcher without brokers: the test puts its inputs in.
fn scene(blocks: bool) -> Scene {
    let settings = Settings { brokers: "127.0.0.1:1".into(), ..Settings::default() };
    let registry = Registry::new();
    let readiness = Readiness::new(&registry).unwrap();
    let metrics = Metrics::register(&registry).unwrap();
    let sent = messaging::Metrics::register(&registry).unwrap();
    let producer = Producer::new("payments", &settings, sent);
    let panics: IntCounter = registry.register("mesh_panics_total", "Panics.", &[]).unwrap();
    let context = SubscriptionContext {
        topic: TOPIC,
        group: "payments",
        types: &[],
        settings: settings.clone(),
        producer,
        metrics: metrics.topic(TOPIC, "payments", &panics),
    };
    let (gate, now, most) = (Arc::new(Semaphore::new(0)), Arc::default(), Arc::default());
    let subscription = Gated {
        context,
        gate: Arc::clone(&gate),
        blocks,
        now: Arc::clone(&now),
        most: Arc::clone(&most),
    };
    let callbacks = ConsumerCallbacks {
        group: "payments",
        connection: ConnectionHealth::new("consumer"),
        inputs: mpsc::channel(1).0,
        joined: Mutex::new(None),
        hand_over: settings.hand_over(),
        watermarks: Arc::default(),
        owned: owned::Owned::new("payments", metrics.mesh_consumer_lag.clone()),
        assigned: metrics.mesh_consumer_assigned_partitions.clone(),
        rebalances: metrics.mesh_consumer_rebalances_total.with_label_values(&["payments"]),
    };
    let config = settings.consumer("payments");
    let consumer = Arc::new(BaseConsumer::from_config_and_context(&config, callbacks).unwrap());
    let subscriptions =
        Subscriptions::from([(TOPIC, Arc::new(subscription) as Arc<dyn Subscription>)]);
    let (health, draining) = (Health::new(&readiness), CancellationToken::new());
    let dispatcher = Dispatcher::new(
        consumer,
        subscriptions,
        settings,
        health,
        draining,
        CommittedOffsets::default(),
    );
    Scene { dispatcher, readiness, gate, now, most }
}

impl Scene {
    fn assign(&mut self, start: i64) {
        self.dispatcher.input(Input::Assigned(vec![(TOPIC.into(), 0, Some(start))]));
    }

    fn revoke(&mut self, lost: bool) -> sync::Receiver<()> {
        let (answer, idle) = sync::channel();
        let partitions = vec![(TOPIC.into(), 0)];
        self.dispatcher.input(Input::Revoked { partitions, lost, answer });
        idle
    }

    fn record(&mut self, offset: i64) {
        let key = Some(b"o-1".to_vec());
        let record = Record { key, ..Record::lost(TOPIC, 0, offset) };
        self.dispatcher.input(Input::Record(record));
    }

    /// Lets the handlers run until this many are at work.
    async fn until_inside(&self, count: usize) {
        while self.now.load(Ordering::SeqCst) != count {
            tokio::task::yield_now().await;
        }
    }

    /// Takes the next handler that ended.
    async fn done(&mut self) {
        let finished = self.dispatcher.tasks.join_next().await.unwrap().unwrap();
        self.dispatcher.finished(finished);
    }

    /// Returns the reason of the condition for a consumer without progress; empty if it is not raised.
    fn progress(&self) -> String {
        self.dispatcher.check_progress();
        let raised = self.readiness.degraded();
        raised
            .into_iter()
            .find(|one| one.name == "kafka_progress")
            .map_or_else(String::new, |one| one.reason)
    }

    fn low_water(&self) -> Option<i64> {
        self.dispatcher.partitions[&(TOPIC, 0)].low_water()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_assigned_again_waits_for_its_earlier_handler() {
    // A partition that was lost, and one whose hand-over took too long.
    for lost in [true, false] {
        let mut scene = scene(true);
        scene.assign(0);
        scene.record(0);
        scene.until_inside(1).await;
        let idle = scene.revoke(lost);
        scene.assign(0);
        scene.record(0);
        assert_eq!(idle.try_recv(), Ok(()), "the poll thread waits for the earlier assignment");
        assert_eq!(
            scene.dispatcher.tasks.len(),
            1,
            "the second handler was started next to the first"
        );
        scene.gate.add_permits(2);
        scene.done().await;
        assert_eq!(
            scene.low_water(),
            Some(0),
            "the first handler's end counts for the new assignment"
        );
        scene.done().await;
        assert_eq!((scene.low_water(), scene.most.load(Ordering::SeqCst)), (Some(1), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_hand_over_does_not_remove_the_new_assignment() {
    let mut scene = scene(false);
    scene.assign(0);
    scene.record(0);
    scene.until_inside(1).await;
    let _idle = scene.revoke(false);
    scene.assign(0);
    advance(scene.dispatcher.settings.hand_over() * 2).await;
    scene.dispatcher.hand_over();
    scene.record(0);
    scene.gate.add_permits(1);
    scene.done().await;
    scene.done().await;
    assert_eq!(scene.low_water(), Some(1));
}

#[tokio::test]
async fn tasks_of_an_earlier_log_finish_no_offset_of_the_new_log() {
    let mut scene = scene(false);
    scene.assign(10);
    scene.record(10);
    (0..=10).for_each(|offset| scene.record(offset));
    scene.gate.add_permits(1);
    scene.done().await;
    assert_eq!(scene.dispatcher.partitions[&(TOPIC, 0)].open(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_partition_without_progress_raises_the_condition_until_an_event_is_finished() {
    let mut scene = scene(false);
    scene.assign(0);
    scene.record(0);
    assert_eq!(scene.progress(), "");
    advance(STUCK_FOR).await;
    let in_hand = "nothing of orders.events/0 was finished for 31 s, 1 in hand";
    assert_eq!(scene.progress(), in_hand);
    scene.gate.add_permits(1);
    scene.done().await;
    assert_eq!(scene.progress(), "");

    // The log has one more record, which the client does not deliver.
    let owned = &scene.dispatcher.consumer.context().owned;
    owned.add(&[(TOPIC.into(), 0, None)]);
    owned.update(TOPIC, 0, Some(1), 2);
    advance(STUCK_FOR).await;
    assert_eq!(scene.progress(), "nothing of orders.events/0 was finished for 31 s, 0 in hand");
    scene.record(1);
    assert_eq!(scene.progress(), "");
}
