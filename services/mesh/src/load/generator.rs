//! Sends orders at a fixed rate and follows each to its end.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, ensure};
use parking_lot::{Mutex, RwLock};
use rand::seq::IndexedRandom;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    Clock,
    gateway::{self, Answer, Gateway},
    mix::Mix,
    report::Report,
    schedule,
    tracker::OrderTracker,
    updates,
};

/// What to send, and where.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rate: f64,
    /// `None` if the load has no end.
    pub(crate) duration: Option<Duration>,
    pub(crate) gateway: Vec<String>,
    /// The NATS server with the live messages, if it can be reached.
    pub(crate) nats: Option<String>,
    pub(crate) mix: Mix,
    /// How long to wait at the end for open orders.
    pub(crate) grace: Duration,
}

/// A load that is ready to begin.
pub(crate) struct Generator {
    plan: Plan,
    gateway: Arc<Gateway>,
    stock: Arc<RwLock<Vec<String>>>,
    messages: Option<async_nats::Subscriber>,
    tracker: Arc<Mutex<OrderTracker>>,
}

/// The maximum of open requests: more mean that the gateway does not answer, and file descriptors run out.
const MOST_IN_FLIGHT: usize = 512;
/// How often the stock is read again: it goes down while orders are placed.
const RESTOCK: Duration = Duration::from_secs(2);
/// How long to wait for a mesh that starts: a whole mesh takes less, unless it must be built or pulled.
const STARTS: Duration = Duration::from_secs(30);
/// The pause between two attempts to reach a mesh that starts.
const STARTS_AGAIN: Duration = Duration::from_millis(250);
/// Live messages may be lost: an order that has not ended after this time is read from the gateway.
const OVERDUE: Duration = Duration::from_secs(5);
/// How often to look for such orders.
const LOOK: Duration = Duration::from_secs(1);
/// The maximum of orders to read at once: these reads are not the load that is measured.
const LOOK_AT_ONCE: usize = 100;

impl Generator {
    /// Reads the stock and subscribes to live messages; sends no order yet. If the mesh cannot say what is in stock, tries again
    /// for a while: its services may be starting. `warn` gets the reason.
    pub(crate) async fn prepare(plan: Plan, warn: impl Fn(String)) -> anyhow::Result<Self> {
        let gateway = Arc::new(Gateway::new(plan.gateway.clone())?);
        let stock = stock(&gateway, STARTS, warn).await.context("cannot see what is in stock")?;
        ensure!(!stock.is_empty(), "nothing is in stock: there is nothing to order");
        let messages = match &plan.nats {
            Some(url) => updates::subscribe(url).await.ok(),
            None => None,
        };
        let stock = Arc::new(RwLock::new(stock));
        Ok(Self {
            plan,
            gateway,
            stock,
            messages,
            tracker: Arc::new(Mutex::new(OrderTracker::new())),
        })
    }

    /// Whether ends of orders are received as live messages.
    pub(crate) fn is_live(&self) -> bool {
        self.messages.is_some()
    }

    /// Sends until the duration is over or `stop` completes, then waits for open orders; passes a report to `on_report` at intervals.
    pub(crate) async fn run(
        mut self,
        stop: impl Future<Output = ()>,
        every: Duration,
        on_report: impl Fn(&Report),
    ) -> Report {
        let clock = Clock::start();
        let mut background = JoinSet::new();
        match self.messages.take() {
            Some(messages) => {
                background.spawn(updates::listen(messages, Arc::clone(&self.tracker), clock.begin))
            }
            None => background.spawn(updates::poll(
                Arc::clone(&self.gateway),
                Arc::clone(&self.tracker),
                clock,
            )),
        };
        background.spawn(restock(Arc::clone(&self.gateway), Arc::clone(&self.stock)));
        background.spawn(reconcile(Arc::clone(&self.gateway), Arc::clone(&self.tracker), clock));
        let reporting = async {
            loop {
                sleep(every).await;
                on_report(&self.report(clock.begin.elapsed()));
            }
        };
        let sent_for = tokio::select! {
            sent_for = self.send(clock, stop) => sent_for,
            () = reporting => Duration::ZERO,
        };
        let end = Instant::now() + self.plan.grace;
        while self.tracker.lock().open() > 0 && Instant::now() < end {
            sleep(Duration::from_millis(20)).await;
        }
        // This may time out if there are very many; orders that were not read count as unfinished, which is true of them, too.
        timeout(OVERDUE, self.look_for_lost(clock)).await.ok();
        self.report(sent_for)
    }

    /// Reads every open order to find out whether the mesh knows it.
    async fn look_for_lost(&self, clock: Clock) {
        let open = self.tracker.lock().overdue(clock.begin.elapsed(), Duration::ZERO);
        for id in open {
            match self.gateway.order(&id).await {
                Ok(None) => self.tracker.lock().lost(&id),
                Ok(Some(order)) => {
                    if let Some((outcome, at)) = order.end() {
                        self.tracker.lock().ended(&id, outcome, clock.since(at));
                    }
                }
                Err(_) => {}
            }
        }
    }

    fn report(&self, duration: Duration) -> Report {
        self.tracker.lock().report(self.plan.rate, duration)
    }

    /// Sends the orders; returns for how long it sent.
    async fn send(&self, clock: Clock, stop: impl Future<Output = ()>) -> Duration {
        let mut ticks = schedule::ticks(self.plan.rate, self.plan.duration, clock.begin);
        let mut requests = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = requests.join_next() => {}
                tick = ticks.recv() => match tick {
                    Some(meant) => self.place(&mut requests, meant, clock),
                    None => break,
                },
            }
        }
        let sent_for = clock.begin.elapsed();
        while requests.join_next().await.is_some() {}
        sent_for
    }

    fn place(&self, requests: &mut JoinSet<()>, meant: Duration, clock: Clock) {
        let sku = self.stock.read().choose(&mut rand::rng()).cloned();
        let mut tracker = self.tracker.lock();
        tracker.sent();
        let Some(sku) = sku else { return tracker.refused("nothing in stock".into()) };
        if requests.len() >= MOST_IN_FLIGHT {
            return tracker.refused("not sent".into());
        }
        let (gateway, tracker, token) =
            (Arc::clone(&self.gateway), Arc::clone(&self.tracker), self.plan.mix.pick().to_owned());
        requests.spawn(async move {
            let answer = gateway.place(&sku, &token).await;
            let now = clock.begin.elapsed();
            match answer {
                Answer::Accepted(id) => tracker.lock().accepted(id, meant, now),
                Answer::Refused(why) => tracker.lock().refused(why),
            }
        });
    }
}

/// Reads the stock as soon as the mesh can answer.
async fn stock(
    gateway: &Gateway,
    max_wait: Duration,
    warn: impl Fn(String),
) -> anyhow::Result<Vec<String>> {
    let end = Instant::now() + max_wait;
    let mut warned = false;
    loop {
        match gateway.in_stock().await {
            Err(error) if gateway::may_pass(&error) && Instant::now() < end => {
                if !std::mem::replace(&mut warned, true) {
                    warn(format!("waiting up to {} s: {error:#}", max_wait.as_secs()));
                }
                sleep(STARTS_AGAIN).await;
            }
            answer => return answer,
        }
    }
}

async fn restock(gateway: Arc<Gateway>, stock: Arc<RwLock<Vec<String>>>) {
    loop {
        sleep(RESTOCK).await;
        if let Ok(now) = gateway.in_stock().await {
            *stock.write() = now;
        }
    }
}

async fn reconcile(gateway: Arc<Gateway>, tracker: Arc<Mutex<OrderTracker>>, clock: Clock) {
    loop {
        sleep(LOOK).await;
        let overdue = tracker.lock().overdue(clock.begin.elapsed(), OVERDUE);
        for id in overdue.into_iter().take(LOOK_AT_ONCE) {
            if let Ok(Some(order)) = gateway.order(&id).await
                && let Some((outcome, at)) = order.end()
            {
                tracker.lock().ended(&id, outcome, clock.since(at));
            }
        }
    }
}

impl Clock {
    fn start() -> Self {
        Self { begin: Instant::now(), began_at: SystemTime::now() }
    }
}
