//! Sends what the outbox holds.

use std::{convert::Infallible, time::Duration};

use futures::future::join_all;
use opentelemetry::KeyValue;
use rdkafka::{error::KafkaError, message::OwnedHeaders};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    backlog::Backlog,
    leader::{Lead, News},
    marks::Marks,
    table::{self, ROUND, Row},
};
use crate::{
    database::{self, Database, Error, now},
    kafka::{Outgoing, Producer, Sending, headers},
    metrics::{Gauge, IntGauge, Registry},
};

/// How long to wait after a round that failed.
const AGAIN: Duration = Duration::from_millis(500);
/// How many rows are sent again at once.
const RESEND: i64 = 100;
/// How often the gauges are set.
const TELL: Duration = Duration::from_secs(1);
/// How often sent rows and old ids are purged.
const PURGE: Duration = Duration::from_secs(10);

crate::metrics! {
    /// What waits to be told.
    struct Metrics in "mesh_outbox" {
        /// Events that wait to be sent, those to be sent again included.
        pending: IntGauge,
        /// Age of the oldest event that was never sent.
        oldest_age_seconds: Gauge,
    }
}

/// Sends one service's events in order; any number of replicas may run one, and one of them leads.
pub struct Relay {
    database: Database,
    producer: Producer,
    service: &'static str,
    settings: Settings,
    pending: IntGauge,
    oldest_age: Gauge,
}

/// How a relay that led stopped to.
#[derive(PartialEq, Eq)]
enum End {
    Draining,
    Lost,
}

/// What a relay that leads knows.
#[derive(Default)]
struct State {
    log: Option<Log>,
    purged: Option<Instant>,
    told: Option<Instant>,
    failing: bool,
}

/// The log that is sent to.
struct Log {
    id: String,
    since: i64,
    backlog: Option<Backlog>,
    marks: Marks,
}

impl Relay {
    /// A relay for this database.
    ///
    /// # Errors
    /// There is another one in this process.
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
            producer: producer.clone(),
            service,
            settings: settings.clone(),
            pending: metrics.pending,
            oldest_age: metrics.oldest_age_seconds,
        })
    }

    /// Relays until the drain, which it ends with a last round. Drain it after what publishes has ended.
    ///
    /// # Errors
    /// Never: it waits for whatever does not answer.
    pub async fn run(self, draining: CancellationToken) -> anyhow::Result<()> {
        let mut told = false;
        loop {
            let lead = tokio::select! {
                // One that is told to stop before it began still has its last round, if it need not wait for it.
                biased;
                lead = Lead::take(&self.database, self.service) => lead,
                () = draining.cancelled() => return Ok(()),
            };
            match lead {
                Ok(lead) => {
                    told = false;
                    let end = self.lead(lead, &draining).await;
                    self.pending.set(0);
                    self.oldest_age.set(0.0);
                    if end == End::Draining {
                        return Ok(());
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
                return Ok(());
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
                    // What is on its way is on its way: waiting for it saves sending it twice.
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

    /// One round; how long to wait for the next, if nobody publishes.
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

    /// One round; whether another one should follow at once.
    async fn round(&self, state: &mut State) -> anyhow::Result<bool> {
        let State { log, purged, told, .. } = state;
        let log = match log {
            Some(log) => log,
            // A service that never publishes needs no client.
            None if !table::is_used(&self.database).await? => return Ok(false),
            None => log.insert(self.log().await?),
        };
        if purged.is_none_or(|purged| purged.elapsed() >= PURGE) {
            self.purge(log).await?;
            *purged = Some(Instant::now());
        }
        // Before what may fail: that is when it matters.
        if told.is_none_or(|told| told.elapsed() >= TELL) {
            self.tell(log).await?;
            *told = Some(Instant::now());
        }
        let more = self.fresh(log).await?;
        let again = self.again(log).await?;
        if log.marks.due().is_some_and(|due| due <= Instant::now()) {
            self.mark(log).await?;
        }
        Ok(more || again)
    }

    async fn log(&self) -> anyhow::Result<Log> {
        let id = self.producer.log_id().await?;
        let (since, caught_up) = table::enter_log(&self.database, &id).await?;
        let backlog =
            if caught_up { None } else { Some(Backlog::find(&self.database, &id).await?) };
        if let Some(backlog) = backlog.as_ref().filter(|backlog| backlog.len() > 0) {
            tracing::info!(
                log = id,
                events = backlog.len(),
                "the broker's log is a new one, sending what earlier ones were told"
            );
        }
        Ok(Log { id, since, backlog, marks: Marks::default() })
    }

    /// Sends what was never sent; whether there is more.
    async fn fresh(&self, log: &mut Log) -> anyhow::Result<bool> {
        // SQLite numbers rows in the order of their commits: what is below a row that was sent need not be looked at again.
        let in_order = !self.database.is_postgres() && log.backlog.is_none();
        let mut after = if in_order { log.marks.reached() } else { 0 };
        loop {
            let mut rows = table::pending(&self.database, after).await?;
            let Some(last) = rows.last() else { return Ok(false) };
            let full = rows.len() as i64 == ROUND;
            after = last.seq;
            rows.retain(|row| {
                let waits = log.backlog.as_ref().is_some_and(|backlog| backlog.holds(&row.key));
                !waits && !log.marks.holds(row.seq)
            });
            if !rows.is_empty() {
                let (sent, result) = self.send(&rows).await;
                log.marks.add(sent, if result.is_ok() && in_order { after } else { 0 });
                result?;
                return Ok(full);
            }
            if !full {
                return Ok(false);
            }
        }
    }

    /// Marks what was sent since the last time.
    async fn mark(&self, log: &mut Log) -> anyhow::Result<()> {
        table::mark(&self.database, &log.id, &log.marks.seqs()).await?;
        log.marks.clear();
        Ok(())
    }

    /// Sends some of what another log was told, at the pace that is allowed; whether there is more.
    async fn again(&self, log: &mut Log) -> anyhow::Result<bool> {
        let Some(backlog) = &log.backlog else { return Ok(false) };
        let started = Instant::now();
        let rows = backlog.next(&self.database, RESEND).await?;
        if rows.is_empty() {
            table::caught_up(&self.database, &log.id).await?;
            log.backlog = None;
            return Ok(true);
        }
        let (sent, result) = self.send(&rows).await;
        table::mark(&self.database, &log.id, &sent).await?;
        result?;
        if let Some(backlog) = &mut log.backlog {
            backlog.sent(&rows);
        }
        let pace = f64::from(self.settings.resend_rate.max(1));
        sleep_until(started + Duration::from_secs_f64(rows.len() as f64 / pace)).await;
        Ok(true)
    }

    /// Sends rows in their order and waits for all; which of them arrived, and why not all did.
    async fn send(&self, rows: &[Row]) -> (Vec<i64>, Result<(), KafkaError>) {
        let mut sending = Vec::with_capacity(rows.len());
        let mut result = Ok(());
        for row in rows {
            match self.hand_over(row).await {
                Ok(one) => sending.push((row.seq, one)),
                Err(error) => result = Err(error),
            }
        }
        let mut sent = Vec::with_capacity(sending.len());
        let (seqs, acknowledged): (Vec<_>, Vec<_>) =
            sending.into_iter().map(|(seq, one)| (seq, one.acknowledged())).unzip();
        for (seq, answer) in seqs.into_iter().zip(join_all(acknowledged).await) {
            match answer {
                Ok(()) => sent.push(seq),
                Err(error) => result = Err(error),
            }
        }
        (sent, result)
    }

    async fn hand_over(&self, row: &Row) -> Result<Sending, KafkaError> {
        let at = humantime::format_rfc3339_micros(database::time(row.created_at)).to_string();
        let source = format!("/mesh/{}", self.service);
        let resent = row.resent.then_some((headers::RESENT, "true"));
        let all = [
            (headers::SPECVERSION, "1.0"),
            (headers::ID, &row.event_id),
            (headers::TYPE, &row.r#type),
            (headers::SOURCE, &source),
            (headers::TIME, &at),
            (headers::CONTENT_TYPE, "application/protobuf"),
        ];
        let outgoing = Outgoing {
            topic: &row.topic,
            key: Some(row.key.as_bytes()),
            payload: Some(&row.payload),
            headers: all
                .into_iter()
                .chain(resent)
                .fold(OwnedHeaders::new_with_capacity(10), |all, (key, value)| {
                    headers::set(all, key, value)
                }),
            parent: &row.context(),
            attributes: vec![
                KeyValue::new("messaging.message.id", row.event_id.clone()),
                KeyValue::new("cloudevents.event_id", row.event_id.clone()),
                KeyValue::new("cloudevents.event_type", row.r#type.clone()),
            ],
        };
        self.producer.send(outgoing).await
    }

    async fn tell(&self, log: &Log) -> Result<(), Error> {
        let again = log.backlog.as_ref().map_or(0, Backlog::len);
        self.gauge(log.marks.len() as i64, again as i64).await
    }

    /// Tells as long as a round takes longer than it should, which is when the broker does not answer. Never returns.
    async fn tell_meanwhile(&self) -> Infallible {
        loop {
            sleep(TELL).await;
            // A database that does not answer either is told of elsewhere. What a backlog holds is known to the round only.
            self.gauge(0, 0).await.ok();
        }
    }

    /// Sets the gauges: `sent` rows of the table wait only for their mark, `again` others are sent again.
    async fn gauge(&self, sent: i64, again: i64) -> Result<(), Error> {
        let (unmarked, oldest) = table::count(&self.database).await?;
        let pending = (unmarked - sent).max(0);
        let oldest = oldest.filter(|_| pending > 0);
        self.pending.set(pending + again);
        self.oldest_age.set(oldest.map_or(0.0, |oldest| (now() - oldest).max(0) as f64 / 1e6));
        Ok(())
    }

    async fn purge(&self, log: &Log) -> Result<(), Error> {
        let before = |keep: Duration| now() - i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        while table::purge(&self.database, &log.id, before(self.settings.keep)).await? > 0 {}
        // A log that is new may still be told what earlier ones were, however long ago that is.
        let inbox = before(self.settings.inbox_keep);
        if log.since < inbox && log.backlog.is_none() {
            while table::purge_inbox(&self.database, inbox).await? > 0 {}
        }
        Ok(())
    }

    /// What the service's last transactions left. The rest is sent after the next start.
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
