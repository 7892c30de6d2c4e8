//! The relay: sends the events in the outbox to Kafka.

use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    held::Held,
    leader::{LeaderEvent, Leadership},
    replay::Replay,
    send::Sender,
    set_aside::{self, reason},
    table,
    unmarked::Unmarked,
};
use crate::{
    database::{Database, Error, before, now},
    events::{CommittedOffsets, inbox::purge},
    kafka::Producer,
    metrics::Registry,
    readiness::Condition,
};

/// How long to wait after a round that failed, before the next one.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How often the gauges and the condition are updated.
const GAUGE_INTERVAL: Duration = Duration::from_secs(1);
/// How often sent rows are purged.
const PURGE_INTERVAL: Duration = Duration::from_secs(10);

crate::metrics! {
    /// Events that wait to be sent.
    pub(super) struct Metrics in "mesh_outbox" {
        /// Events that wait to be sent, including those that are sent again.
        pending: IntGauge,
        /// Age of the oldest event that was never sent.
        oldest_age_seconds: Gauge,
        /// Events that were set aside because no broker accepts them, by reason.
        set_aside_total: IntCounterVec["reason"] = reason::ALL.map(|reason| [reason]),
        /// Events that were set aside and wait until an operator requeues or drops them.
        unsendable: IntGauge,
    }
}

/// Sends one service's events in order. Any number of replicas may run a relay; one of them leads, the others wait.
pub struct Relay {
    pub(super) database: Database,
    pub(super) sender: Sender,
    pub(super) settings: Settings,
    pub(super) metrics: Metrics,
    condition: Option<Condition>,
    committed: Option<CommittedOffsets>,
}

/// Why a relay stopped leading.
#[derive(PartialEq, Eq)]
enum LeadershipEnd {
    Draining,
    Lost,
}

/// What the leading relay remembers between rounds.
#[derive(Default)]
struct State {
    log: Option<BrokerLog>,
    purged: Option<Instant>,
    gauges_updated: Option<Instant>,
    failing: bool,
    held: bool,
}

/// The broker's log that the events are sent to.
pub(super) struct BrokerLog {
    pub(super) id: String,
    pub(super) replay: Option<Replay>,
    pub(super) unmarked: Unmarked,
    pub(super) held: Held,
}

impl Relay {
    /// Creates a relay for this database.
    ///
    /// # Errors
    /// This process has a relay already: its metrics are registered.
    pub fn new(
        database: &Database,
        producer: &Producer,
        service: &'static str,
        settings: &Settings,
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        let metrics = Metrics::register(registry)?;
        Ok(Self {
            database: database.clone(),
            sender: Sender { producer: producer.clone(), service },
            settings: settings.clone(),
            metrics,
            condition: None,
            committed: None,
        })
    }

    /// Deletes old ids of handled events from the inbox, once the consumer has committed a higher offset.
    #[must_use]
    pub fn purging_inbox(self, committed: CommittedOffsets) -> Self {
        Self { committed: Some(committed), ..self }
    }

    /// Raises this condition while events are set aside, or while a topic or a key is held up.
    #[must_use]
    pub fn reporting_to(self, condition: Condition) -> Self {
        Self { condition: Some(condition), ..self }
    }

    /// Sends events until the drain, and ends with a last round. Drain the relay after everything that publishes has ended.
    ///
    /// # Errors
    /// Never: it retries for as long as the database or the broker does not answer.
    pub async fn run(self, draining: CancellationToken) -> anyhow::Result<()> {
        // Every process deletes the ids of the events that it handled, whether its relay leads or not.
        let inbox = async {
            match &self.committed {
                Some(committed) => {
                    purge::run(&self.database, committed, self.settings.inbox_keep).await
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.relay(&draining) => Ok(()),
            never = inbox => match never {},
        }
    }

    async fn relay(&self, draining: &CancellationToken) {
        let mut warned = false;
        loop {
            let leadership = tokio::select! {
                // A relay that is drained before it leads still does its last round, if it gets the lead without waiting.
                biased;
                leadership = Leadership::acquire(&self.database, self.sender.service) => leadership,
                () = draining.cancelled() => return,
            };
            match leadership {
                Ok(leadership) => {
                    warned = false;
                    let end = self.run_as_leader(leadership, draining).await;
                    self.metrics.pending.set(0);
                    self.metrics.oldest_age_seconds.set(0.0);
                    self.metrics.unsendable.set(0);
                    if let Some(condition) = &self.condition {
                        condition.clear();
                    }
                    if end == LeadershipEnd::Draining {
                        return;
                    }
                    tracing::warn!("another relay may lead, starting over");
                }
                Err(error) if !warned => {
                    tracing::warn!(error = %error, "the relay cannot find out whether it leads, trying again");
                    warned = true;
                }
                Err(_) => {}
            }
            if draining.run_until_cancelled(sleep(RETRY_PAUSE)).await.is_none() {
                return;
            }
        }
    }

    async fn run_as_leader(
        &self,
        mut leadership: Leadership,
        draining: &CancellationToken,
    ) -> LeadershipEnd {
        let mut state = State::default();
        loop {
            let mut work = Box::pin(self.work(&mut state));
            let pause = tokio::select! {
                pause = &mut work => pause,
                never = self.update_gauges_meanwhile() => match never {},
                () = lost(&mut leadership) => return LeadershipEnd::Lost,
                () = draining.cancelled() => {
                    // Rows that were handed to the client may arrive anyway: waiting for them avoids sending them twice.
                    timeout(self.settings.last_round, work).await.ok();
                    self.last_round(&mut state).await;
                    return LeadershipEnd::Draining;
                }
            };
            drop(work);
            let Some(pause) = pause else { continue };
            tokio::select! {
                () = self.database.published().notified() => {}
                () = sleep(pause) => {}
                event = leadership.next_event() => if event == LeaderEvent::Lost { return LeadershipEnd::Lost },
                () = draining.cancelled() => {}
            }
        }
    }

    /// Does one round. Returns how long to wait for the next one if no event is published; `None` to begin it at once.
    async fn work(&self, state: &mut State) -> Option<Duration> {
        match self.round(state).await {
            Ok(more) => {
                if std::mem::take(&mut state.failing) {
                    tracing::info!("the relay works again");
                }
                let due = state.log.as_ref().and_then(|log| log.unmarked.due());
                let pause = due.map_or(self.settings.sweep, |due| {
                    self.settings.sweep.min(due.saturating_duration_since(Instant::now()))
                });
                (!more).then_some(pause)
            }
            Err(error) => {
                if !std::mem::replace(&mut state.failing, true) {
                    tracing::warn!(error = format!("{error:#}"), "the relay failed, trying again");
                }
                sleep(RETRY_PAUSE).await;
                None
            }
        }
    }

    /// Does one round. Returns whether another one should follow at once.
    async fn round(&self, state: &mut State) -> anyhow::Result<bool> {
        let State { log, purged, gauges_updated, held, .. } = state;
        let log = match log {
            Some(log) => log,
            // A service that never publishes needs no Kafka client.
            None if !table::is_used(&self.database).await? => return Ok(false),
            None => log.insert(self.log().await?),
        };
        if purged.is_none_or(|purged| purged.elapsed() >= PURGE_INTERVAL) {
            self.purge(log).await?;
            *purged = Some(Instant::now());
        }
        // Before the steps that may fail: the gauges matter most during a failure.
        if gauges_updated.is_none_or(|updated| updated.elapsed() >= GAUGE_INTERVAL) {
            self.update_gauges(log).await?;
            *gauges_updated = Some(Instant::now());
        }
        self.check_topics(&mut log.held).await;
        let worked = self.send_some(log).await;
        // Also after a failure: sent rows that are not marked must not fill the next round.
        if log.unmarked.due().is_some_and(|due| due <= Instant::now()) {
            self.mark(log).await?;
        }
        let holding = log.held.describe();
        if let Some(reason) = holding.as_deref().filter(|_| !*held) {
            tracing::warn!(reason, "some events wait, all others are sent");
        }
        *held = holding.is_some();
        worked
    }

    async fn send_some(&self, log: &mut BrokerLog) -> anyhow::Result<bool> {
        let more = self.send_pending(log).await?;
        Ok(self.send_replay(log).await? || more)
    }

    async fn check_topics(&self, held: &mut Held) {
        for topic in held.due() {
            if self.sender.producer.takes(&topic).await {
                tracing::info!(topic, "the topic takes events again");
                held.release_topic(&topic);
            } else {
                held.postpone_topic(&topic);
            }
        }
    }

    async fn log(&self) -> anyhow::Result<BrokerLog> {
        let id = self.sender.producer.log_id().await?;
        let caught_up = table::enter_log(&self.database, &id).await?;
        let replay = if caught_up { None } else { Some(Replay::find(&self.database, &id).await?) };
        if let Some(replay) = replay.as_ref().filter(|replay| replay.len() > 0) {
            tracing::info!(
                log = id,
                events = replay.len(),
                "the broker has a new log, sending the events of earlier logs again"
            );
        }
        Ok(BrokerLog { id, replay, unmarked: Unmarked::default(), held: Held::default() })
    }

    async fn update_gauges(&self, log: &BrokerLog) -> Result<(), Error> {
        let to_replay = log.replay.as_ref().map_or(0, Replay::len);
        self.set_gauges(log.unmarked.len() as i64, to_replay as i64).await?;
        let Some(condition) = &self.condition else { return Ok(()) };
        let unsendable = match self.metrics.unsendable.get() {
            0 => None,
            1 => Some("1 event can never be sent, see `mesh outbox list`".to_owned()),
            events => Some(format!("{events} events can never be sent, see `mesh outbox list`")),
        };
        let reasons: Vec<_> = unsendable.into_iter().chain(log.held.describe()).collect();
        if reasons.is_empty() {
            condition.clear();
        } else {
            condition.raise(reasons.join("; "));
        }
        Ok(())
    }

    /// Sets the gauges while a round takes longer than it should, which is when the broker does not answer. Never returns.
    async fn update_gauges_meanwhile(&self) -> Infallible {
        loop {
            sleep(GAUGE_INTERVAL).await;
            // If the database does not answer either, its own condition says so. Only the round knows the size of the replay.
            self.set_gauges(0, 0).await.ok();
        }
    }

    /// Sets the gauges. `unmarked` rows of the table were sent and only wait to be marked; `to_replay` further rows are to be sent
    /// again.
    async fn set_gauges(&self, unmarked: i64, to_replay: i64) -> Result<(), Error> {
        self.metrics.unsendable.set(set_aside::count(&self.database).await?);
        let (unsent, oldest) = table::count(&self.database).await?;
        let pending = (unsent - unmarked).max(0);
        let oldest = oldest.filter(|_| pending > 0);
        self.metrics.pending.set(pending + to_replay);
        self.metrics
            .oldest_age_seconds
            .set(oldest.map_or(0.0, |oldest| (now() - oldest).max(0) as f64 / 1e6));
        Ok(())
    }

    async fn purge(&self, log: &BrokerLog) -> Result<(), Error> {
        let before = before(self.settings.keep);
        while table::purge(&self.database, &log.id, before).await? > 0 {}
        Ok(())
    }

    /// Sends what the service's last transactions published. Rows that do not fit into the time are sent after the next start.
    async fn last_round(&self, state: &mut State) {
        let rounds = async {
            if state.log.is_none() && table::is_used(&self.database).await? {
                state.log = Some(self.log().await?);
            }
            if let Some(log) = &mut state.log {
                while self.send_pending(log).await? {}
                self.mark(log).await?;
            }
            anyhow::Ok(())
        };
        match timeout(self.settings.last_round, rounds).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "the relay's last round failed")
            }
            Err(_) => tracing::warn!("the relay's last round took too long"),
        }
    }
}

/// Returns when another relay may lead.
async fn lost(leadership: &mut Leadership) {
    while leadership.next_event().await != LeaderEvent::Lost {}
}
