//! The relay: sends the events in the outbox to Kafka.

use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    aside::{self, reason},
    backlog::Backlog,
    held::Held,
    inbox,
    leader::{Lead, News},
    marks::Marks,
    send::Sender,
    table,
};
use crate::{
    database::{Database, Error, before, now},
    events::Committed,
    kafka::Producer,
    metrics::Registry,
    readiness::Condition,
};

/// How long to wait after a round that failed, before the next one.
const AGAIN: Duration = Duration::from_millis(500);
/// How often the gauges and the condition are updated.
const TELL: Duration = Duration::from_secs(1);
/// How often sent rows are purged.
const PURGE: Duration = Duration::from_secs(10);

crate::metrics! {
    /// What waits to be told.
    pub(super) struct Metrics in "mesh_outbox" {
        /// Events that wait to be sent, those to be sent again included.
        pending: IntGauge,
        /// Age of the oldest event that was never sent.
        oldest_age_seconds: Gauge,
        /// Events that no broker takes and that were set aside, by reason.
        set_aside_total: IntCounterVec["reason"] = reason::ALL.map(|reason| [reason]),
        /// Events that were set aside and wait for the operator, who sends them again or gives them up.
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
    committed: Option<Committed>,
}

/// Why a relay stopped leading.
#[derive(PartialEq, Eq)]
enum End {
    Draining,
    Lost,
}

/// What the leading relay remembers between rounds.
#[derive(Default)]
struct State {
    log: Option<Log>,
    purged: Option<Instant>,
    told: Option<Instant>,
    failing: bool,
    held: bool,
}

/// The broker's log that the events are sent to.
pub(super) struct Log {
    pub(super) id: String,
    pub(super) backlog: Option<Backlog>,
    pub(super) marks: Marks,
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
    pub fn forgetting(self, committed: Committed) -> Self {
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
        let forget = async {
            match &self.committed {
                Some(committed) => {
                    inbox::forget(&self.database, committed, self.settings.inbox_keep).await
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.relay(&draining) => Ok(()),
            never = forget => match never {},
        }
    }

    async fn relay(&self, draining: &CancellationToken) {
        let mut told = false;
        loop {
            let lead = tokio::select! {
                // A relay that is drained before it leads still does its last round, if it gets the lead without waiting.
                biased;
                lead = Lead::take(&self.database, self.sender.service) => lead,
                () = draining.cancelled() => return,
            };
            match lead {
                Ok(lead) => {
                    told = false;
                    let end = self.lead(lead, draining).await;
                    self.metrics.pending.set(0);
                    self.metrics.oldest_age_seconds.set(0.0);
                    self.metrics.unsendable.set(0);
                    if let Some(condition) = &self.condition {
                        condition.clear();
                    }
                    if end == End::Draining {
                        return;
                    }
                    tracing::warn!("another relay may lead, starting over");
                }
                Err(error) if !told => {
                    tracing::warn!(error = %error, "the relay cannot find out whether it leads, trying again");
                    told = true;
                }
                Err(_) => {}
            }
            if draining.run_until_cancelled(sleep(AGAIN)).await.is_none() {
                return;
            }
        }
    }

    async fn lead(&self, mut lead: Lead, draining: &CancellationToken) -> End {
        let mut state = State::default();
        loop {
            let mut work = Box::pin(self.work(&mut state));
            let pause = tokio::select! {
                pause = &mut work => pause,
                never = self.tell_meanwhile() => match never {},
                () = lost(&mut lead) => return End::Lost,
                () = draining.cancelled() => {
                    // Rows that were handed to the client may arrive anyway: waiting for them avoids sending them twice.
                    timeout(self.settings.last_round, work).await.ok();
                    self.last_round(&mut state).await;
                    return End::Draining;
                }
            };
            drop(work);
            let Some(pause) = pause else { continue };
            tokio::select! {
                () = self.database.published().notified() => {}
                () = sleep(pause) => {}
                news = lead.news() => if news == News::Lost { return End::Lost },
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
                let marks = state.log.as_ref().and_then(|log| log.marks.due());
                let pause = marks.map_or(self.settings.sweep, |due| {
                    self.settings.sweep.min(due.saturating_duration_since(Instant::now()))
                });
                (!more).then_some(pause)
            }
            Err(error) => {
                if !std::mem::replace(&mut state.failing, true) {
                    tracing::warn!(error = format!("{error:#}"), "the relay failed, trying again");
                }
                sleep(AGAIN).await;
                None
            }
        }
    }

    /// Does one round. Returns whether another one should follow at once.
    async fn round(&self, state: &mut State) -> anyhow::Result<bool> {
        let State { log, purged, told, held, .. } = state;
        let log = match log {
            Some(log) => log,
            // A service that never publishes needs no Kafka client.
            None if !table::is_used(&self.database).await? => return Ok(false),
            None => log.insert(self.log().await?),
        };
        if purged.is_none_or(|purged| purged.elapsed() >= PURGE) {
            self.purge(log).await?;
            *purged = Some(Instant::now());
        }
        // Before the steps that may fail: the gauges matter most during a failure.
        if told.is_none_or(|told| told.elapsed() >= TELL) {
            self.tell(log).await?;
            *told = Some(Instant::now());
        }
        self.look_for_topics(&mut log.held).await;
        let worked = self.send_some(log).await;
        // Also after a failure: sent rows that are not marked must not fill the next round.
        if log.marks.due().is_some_and(|due| due <= Instant::now()) {
            self.mark(log).await?;
        }
        let holding = log.held.describe();
        if let Some(reason) = holding.as_deref().filter(|_| !*held) {
            tracing::warn!(reason, "some events wait, all others are sent");
        }
        *held = holding.is_some();
        worked
    }

    async fn send_some(&self, log: &mut Log) -> anyhow::Result<bool> {
        let more = self.fresh(log).await?;
        Ok(self.again(log).await? || more)
    }

    async fn look_for_topics(&self, held: &mut Held) {
        for topic in held.due() {
            if self.sender.producer.takes(&topic).await {
                tracing::info!(topic, "the topic takes events again");
                held.release_topic(&topic);
            } else {
                held.postpone_topic(&topic);
            }
        }
    }

    async fn log(&self) -> anyhow::Result<Log> {
        let id = self.sender.producer.log_id().await?;
        let caught_up = table::enter_log(&self.database, &id).await?;
        let backlog =
            if caught_up { None } else { Some(Backlog::find(&self.database, &id).await?) };
        if let Some(backlog) = backlog.as_ref().filter(|backlog| backlog.len() > 0) {
            tracing::info!(
                log = id,
                events = backlog.len(),
                "the broker's log is a new one, sending what earlier ones were told"
            );
        }
        Ok(Log { id, backlog, marks: Marks::default(), held: Held::default() })
    }

    async fn tell(&self, log: &Log) -> Result<(), Error> {
        let again = log.backlog.as_ref().map_or(0, Backlog::len);
        self.gauge(log.marks.len() as i64, again as i64).await?;
        let Some(condition) = &self.condition else { return Ok(()) };
        let aside = match self.metrics.unsendable.get() {
            0 => None,
            1 => Some("1 event can never be sent, see `mesh outbox list`".to_owned()),
            events => Some(format!("{events} events can never be sent, see `mesh outbox list`")),
        };
        let reasons: Vec<_> = aside.into_iter().chain(log.held.describe()).collect();
        if reasons.is_empty() {
            condition.clear();
        } else {
            condition.raise(reasons.join("; "));
        }
        Ok(())
    }

    /// Sets the gauges while a round takes longer than it should, which is when the broker does not answer. Never returns.
    async fn tell_meanwhile(&self) -> Infallible {
        loop {
            sleep(TELL).await;
            // If the database does not answer either, its own condition says so. Only the round knows the size of the backlog.
            self.gauge(0, 0).await.ok();
        }
    }

    /// Sets the gauges. `sent` rows of the table were sent and only wait to be marked; `again` further rows are to be sent again.
    async fn gauge(&self, sent: i64, again: i64) -> Result<(), Error> {
        self.metrics.unsendable.set(aside::count(&self.database).await?);
        let (unmarked, oldest) = table::count(&self.database).await?;
        let pending = (unmarked - sent).max(0);
        let oldest = oldest.filter(|_| pending > 0);
        self.metrics.pending.set(pending + again);
        self.metrics
            .oldest_age_seconds
            .set(oldest.map_or(0.0, |oldest| (now() - oldest).max(0) as f64 / 1e6));
        Ok(())
    }

    async fn purge(&self, log: &Log) -> Result<(), Error> {
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
                while self.fresh(log).await? {}
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
async fn lost(lead: &mut Lead) {
    while lead.news().await != News::Lost {}
}
