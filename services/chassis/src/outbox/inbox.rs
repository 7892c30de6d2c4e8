//! Forgets the ids of events that were handled long ago, once they cannot be delivered again.

use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    database::{Database, Error, before},
    kafka::Committed,
};

/// How often at most, and at least; in between it is often enough that an id outlives its time by a tenth.
const OFTEN: Duration = Duration::from_millis(100);
const SELDOM: Duration = Duration::from_secs(5);

/// A consumer may handle events of a new log before the relay of its service has noted that it is new. It takes seconds.
const MARGIN: Duration = Duration::from_secs(10 * 60);

/// Forgets ids that are older than `keep` and below what the group has committed, for as long as the process lives.
pub(super) async fn forget(
    database: &Database,
    committed: &Committed,
    keep: Duration,
) -> Infallible {
    let started = Instant::now();
    loop {
        sleep((keep / 10).clamp(OFTEN, SELDOM)).await;
        // Those of earlier versions have no place. What may be delivered again of them is, and gets one, soon after the start.
        let placeless = started.elapsed() > keep;
        if let Err(error) = once(database, committed, keep, placeless).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "old ids stay for now");
        }
    }
}

async fn once(
    database: &Database,
    committed: &Committed,
    keep: Duration,
    placeless: bool,
) -> Result<(), Error> {
    let old = before(keep);
    let log: Option<(i64, i64)> = database
        .query("inbox: log", "select since, caught_up from outbox_log where id = 1")
        .optional()
        .await?;
    // A log that is new may still be sent what earlier ones were, however long ago that is.
    let Some((since, _)) = log.filter(|(since, caught_up)| *since < old && *caught_up != 0) else {
        return Ok(());
    };
    let margin = i64::try_from(keep.max(MARGIN).as_micros()).unwrap_or(i64::MAX);
    for (topic, partition, offset) in committed.all() {
        let place = Place { topic: &topic, partition, offset };
        while place.below(database, old).await? > 0 {}
        // From an earlier log, which counted further: nothing of that can be delivered any more.
        while place.above(database, old.min(since.saturating_sub(margin))).await? > 0 {}
    }
    if placeless {
        while without_place(database, old).await? > 0 {}
    }
    Ok(())
}

/// A partition, and what is committed of it.
struct Place<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
}

impl Place<'_> {
    /// Forgets old ids below the offset; how many. Only some of the lowest are looked at: those above them are younger.
    async fn below(&self, database: &Database, old: i64) -> Result<u64, Error> {
        const SQL: &str = "delete from inbox where event_id in (
            select event_id from (
                select event_id, at from inbox where topic = $1 and partition_id = $2 and position < $3
                order by position limit 1000
            ) as lowest where at < $4
        ) and topic = $1 and partition_id = $2 and position < $3";
        self.delete(database, SQL, old).await
    }

    /// Forgets old ids at or above it; how many.
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

/// Forgets old ids of earlier versions, which did not note the place; how many.
async fn without_place(database: &Database, old: i64) -> Result<u64, Error> {
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
