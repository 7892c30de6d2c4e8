//! One round of the relay: sends rows that were never sent, and some of those that were sent to another log only.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{
    Relay,
    relay::BrokerLog,
    set_aside::{self, Unsendable, reason},
    table::{self, Found, ROUND, Row},
};
use crate::database::Error;

/// How many rows are sent again at a time.
const REPLAY_BATCH: i64 = 100;

impl Relay {
    /// Sends rows that were never sent. Returns whether there may be more.
    pub(super) async fn send_pending(&self, log: &mut BrokerLog) -> anyhow::Result<bool> {
        // SQLite numbers rows in the order of their commits, so no new row can appear below a row that was sent.
        let in_order = !self.database.is_postgres() && log.replay.is_none();
        let mut after = if in_order { log.unmarked.reached() } else { 0 };
        loop {
            let except: Vec<_> = log.held.topics().collect();
            let found = table::pending(&self.database, after, &except).await?;
            let Some(last) = found.last() else { return Ok(false) };
            let full = found.len() as i64 == ROUND;
            after = last.seq();
            let (mut rows, mut unsendable) = split(found);
            rows.retain(|row| {
                let waits = log.replay.as_ref().is_some_and(|replay| replay.holds(&row.key));
                !waits && !log.unmarked.holds(row.seq) && !log.held.holds(row)
            });
            if !rows.is_empty() || !unsendable.is_empty() {
                let mut outcome = self.sender.send(&rows, &mut log.held).await;
                let all = outcome.sent.len() == rows.len() && log.held.is_empty();
                log.unmarked.add(outcome.sent, if all && in_order { after } else { 0 });
                unsendable.append(&mut outcome.unsendable);
                self.set_aside(&unsendable).await?;
                outcome.outage.map_or(Ok(()), Err)?;
                return Ok(full || !unsendable.is_empty());
            }
            if !full {
                return Ok(false);
            }
        }
    }

    /// Moves rows that can never be sent out of the outbox.
    async fn set_aside(&self, rows: &[Unsendable]) -> Result<(), Error> {
        let Some(first) = rows.first() else { return Ok(()) };
        set_aside::set_aside(&self.database, rows).await?;
        for row in rows {
            self.metrics.set_aside_total.with_label_values(&[row.reason]).inc();
        }
        tracing::error!(
            events = rows.len(),
            seq = first.seq,
            reason = first.reason,
            error = first.detail,
            "events that no broker takes were set aside: `mesh outbox list` shows them"
        );
        Ok(())
    }

    /// Marks the rows that were sent since the last time.
    pub(super) async fn mark(&self, log: &mut BrokerLog) -> anyhow::Result<()> {
        table::mark(&self.database, &log.id, &log.unmarked.seqs()).await?;
        log.unmarked.clear();
        Ok(())
    }

    /// Sends again some rows that were sent to another log only, at the allowed rate. Returns whether there are more.
    pub(super) async fn send_replay(&self, log: &mut BrokerLog) -> anyhow::Result<bool> {
        let Some(replay) = &mut log.replay else { return Ok(false) };
        let started = Instant::now();
        let except: Vec<_> = log.held.topics().collect();
        let found = replay.next(&self.database, REPLAY_BATCH, &except).await?;
        let Some(last) = found.last().map(Found::seq) else {
            if log.held.is_empty() {
                table::caught_up(&self.database, &log.id).await?;
                log.replay = None;
            }
            return Ok(log.held.is_empty());
        };
        let (mut rows, mut unsendable) = split(found);
        rows.retain(|row| !log.held.holds(row));
        let mut outcome = self.sender.send(&rows, &mut log.held).await;
        table::mark(&self.database, &log.id, &outcome.sent).await?;
        unsendable.append(&mut outcome.unsendable);
        self.set_aside(&unsendable).await?;
        let sent = rows.iter().filter(|row| outcome.sent.contains(&row.seq));
        let sent = sent.map(|row| Some(row.key.as_str()));
        replay.done(sent.chain(unsendable.iter().map(|row| row.key.as_deref())));
        outcome.outage.map_or(Ok(()), Err)?;
        let done = outcome.sent.len() + unsendable.len();
        if log.held.is_empty() {
            replay.reached(last);
        }
        let pace = f64::from(self.settings.resend_rate.max(1));
        sleep_until(started + Duration::from_secs_f64(done as f64 / pace)).await;
        Ok(done > 0)
    }
}

/// Separates the rows that can be read from those that cannot.
fn split(found: Vec<Found>) -> (Vec<Row>, Vec<Unsendable>) {
    let (mut rows, mut unsendable) = (Vec::with_capacity(found.len()), Vec::new());
    for one in found {
        match one {
            Found::Row(row) => rows.push(*row),
            Found::Unreadable { seq, key, why } => unsendable.push(Unsendable {
                seq,
                key,
                reason: reason::UNREADABLE,
                detail: why,
                attempts: 0,
            }),
        }
    }
    (rows, unsendable)
}
