//! Deletes the ids of events that were handled long ago, once these events cannot be delivered again.

use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    database::{Database, Error, before},
    events::CommittedOffsets,
};

/// The shortest and the longest pause between two purges. In between it is a tenth of the time that ids are kept.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
const MAX_INTERVAL: Duration = Duration::from_secs(5);

/// A consumer may handle events of a new log some seconds before the relay of its service has noted that the log is new.
const MARGIN: Duration = Duration::from_secs(10 * 60);

/// Deletes ids that are older than `keep` and below the group's committed offset, for as long as the process lives.
pub(crate) async fn run(
    database: &Database,
    committed: &CommittedOffsets,
    keep: Duration,
) -> Infallible {
    let started = Instant::now();
    loop {
        sleep((keep / 10).clamp(MIN_INTERVAL, MAX_INTERVAL)).await;
        // Rows that earlier versions wrote have no position. An event that is delivered again gives its row one, soon after the
        // start.
        let no_position = started.elapsed() > keep;
        if let Err(error) = purge_once(database, committed, keep, no_position).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "old ids stay for now");
        }
    }
}

async fn purge_once(
    database: &Database,
    committed: &CommittedOffsets,
    keep: Duration,
    no_position: bool,
) -> Result<(), Error> {
    let old = before(keep);
    let log: Option<(i64, i64)> = database
        .query("inbox: log", "select since, caught_up from outbox_log where id = 1")
        .optional()
        .await?;
    // The relay may still send events of earlier logs to a new log, however old they are.
    let Some((since, _)) = log.filter(|(since, caught_up)| *since < old && *caught_up != 0) else {
        return Ok(());
    };
    let margin = i64::try_from(keep.max(MARGIN).as_micros()).unwrap_or(i64::MAX);
    for (topic, partition, offset) in committed.all() {
        let position = CommittedPosition { topic: &topic, partition, offset };
        while position.below(database, old).await? > 0 {}
        // Rows of an earlier log with higher offsets: those events cannot be delivered any more.
        while position.above(database, old.min(since.saturating_sub(margin))).await? > 0 {}
    }
    if no_position {
        while without_position(database, old).await? > 0 {}
    }
    Ok(())
}

/// A partition and the offset that its group has committed.
struct CommittedPosition<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
}

impl CommittedPosition<'_> {
    /// Deletes old ids below the offset; returns how many. It reads only the lowest 1000 rows, since higher ones are younger.
    async fn below(&self, database: &Database, old: i64) -> Result<u64, Error> {
        const SQL: &str = "delete from inbox where event_id in (
            select event_id from (
                select event_id, at from inbox where topic = $1 and partition_id = $2 and position < $3
                order by position limit 1000
            ) as lowest where at < $4
        ) and topic = $1 and partition_id = $2 and position < $3";
        self.delete(database, SQL, old).await
    }

    /// Deletes old ids at or above the offset; returns how many.
    async fn above(&self, database: &Database, old: i64) -> Result<u64, Error> {
        const SQL: &str = "delete from inbox where event_id in (
            select event_id from inbox where topic = $1 and partition_id = $2 and position >= $3 and at < $4 limit 1000
        ) and topic = $1 and partition_id = $2 and position >= $3";
        self.delete(database, SQL, old).await
    }

    async fn delete(&self, database: &Database, sql: &'static str, old: i64) -> Result<u64, Error> {
        let mut tx = database.begin("inbox: purge").await?;
        let rows = tx
            .query(sql)
            .bind(self.topic)
            .bind(i64::from(self.partition))
            .bind(self.offset)
            .bind(old)
            .execute()
            .await?;
        tx.commit().await?;
        Ok(rows)
    }
}

/// Deletes old ids that earlier versions wrote without a position; returns how many.
async fn without_position(database: &Database, old: i64) -> Result<u64, Error> {
    let mut tx = database.begin("inbox: purge").await?;
    let rows = tx
        .query(
            "delete from inbox where event_id in
             (select event_id from inbox where topic is null and at < $1 limit 1000) and topic is null",
        )
        .bind(old)
        .execute()
        .await?;
    tx.commit().await?;
    Ok(rows)
}
