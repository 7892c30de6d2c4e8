//! Events that no broker takes: moved out of the way, listed, sent again or given up.

use std::time::SystemTime;

use crate::database::{self, Column, Database, Error, FromRow, Row, now};

/// Why events are set aside.
pub(super) mod reason {
    pub(crate) use crate::kafka::refusal::{INVALID, TOO_LARGE};

    /// The row cannot be read, or no client could send it.
    pub(crate) const UNREADABLE: &str = "unreadable";
    /// The broker refused it again and again, for a reason that nobody here knows, and took others.
    pub(crate) const REFUSED: &str = "refused";

    pub(crate) const ALL: [&str; 4] = [TOO_LARGE, INVALID, UNREADABLE, REFUSED];
}

/// A row that can never be sent.
#[derive(Debug)]
pub(super) struct Unsendable {
    pub(super) seq: i64,
    pub(super) key: Option<String>,
    pub(super) reason: &'static str,
    pub(super) detail: String,
    pub(super) attempts: u32,
}

/// An event that was set aside, as the operator sees it. What cannot be read of it is empty.
#[derive(Clone, Debug)]
pub struct SetAside {
    /// Its number.
    pub seq: i64,
    /// The event's id.
    pub event_id: String,
    /// Where it was to be sent.
    pub topic: String,
    /// Its key.
    pub key: String,
    /// Its type.
    pub event_type: String,
    /// Bytes of its payload.
    pub size: i64,
    /// Why, in a word: `too_large`, `invalid`, `unreadable`, `refused`.
    pub reason: String,
    /// Why, as the client, the broker or the database said it.
    pub detail: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was set aside.
    pub at: SystemTime,
}

impl FromRow for SetAside {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        let text = |index| Column::read(row, index).ok().flatten().unwrap_or_default();
        Ok(Self {
            seq: Column::read(row, 0)?,
            event_id: text(1),
            topic: text(2),
            key: text(3),
            event_type: text(4),
            size: Column::read(row, 5)?,
            reason: text(6),
            detail: text(7),
            attempts: Column::read(row, 8)?,
            at: database::time(Column::read(row, 9)?),
        })
    }
}

/// Events that were set aside, oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn list(database: &Database) -> Result<Vec<SetAside>, Error> {
    const SQL: &str =
        "select seq, event_id, topic, key, type, cast(coalesce(length(payload), 0) as bigint), reason, detail,
                       attempts, set_aside_at from outbox_set_aside order by seq";
    database.query("outbox: list set aside", SQL).all().await
}

/// Puts this event, or all, back into the outbox, behind what waits there; how many they were.
///
/// # Errors
/// The database does not answer.
pub async fn retry(database: &Database, seq: Option<i64>) -> Result<u64, Error> {
    let mut tx = database.begin("outbox: retry set aside").await?;
    tx.query(
        "insert into outbox (event_id, topic, key, type, payload, traceparent, tracestate, baggage, created_at)
         select event_id, topic, key, type, payload, traceparent, tracestate, baggage, created_at
         from outbox_set_aside where $1 < 0 or seq = $1 order by seq",
    )
    .bind(seq.unwrap_or(ALL))
    .execute()
    .await?;
    let rows = delete(&mut tx, seq).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Gives this event, or all, up; how many they were.
///
/// # Errors
/// The database does not answer.
pub async fn purge(database: &Database, seq: Option<i64>) -> Result<u64, Error> {
    let mut tx = database.begin("outbox: purge set aside").await?;
    let rows = delete(&mut tx, seq).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Stands for all of them: numbers begin at 1.
const ALL: i64 = -1;

async fn delete(tx: &mut database::Tx, seq: Option<i64>) -> Result<u64, Error> {
    tx.query("delete from outbox_set_aside where $1 < 0 or seq = $1")
        .bind(seq.unwrap_or(ALL))
        .execute()
        .await
}

/// Moves rows out of the outbox.
pub(super) async fn set_aside(database: &Database, rows: &[Unsendable]) -> Result<(), Error> {
    let mut tx = database.begin("outbox: set aside").await?;
    for row in rows {
        // Within the database: what cannot be read can still be moved.
        tx.query(
            "insert into outbox_set_aside (seq, event_id, topic, key, type, payload, traceparent, tracestate, baggage,
                                           created_at, reason, detail, attempts, set_aside_at)
             select seq, event_id, topic, key, type, payload, traceparent, tracestate, baggage, created_at, $2, $3, $4, $5
             from outbox where seq = $1 on conflict do nothing",
        )
        .bind(row.seq)
        .bind(row.reason)
        .bind(&row.detail)
        .bind(i64::from(row.attempts))
        .bind(now())
        .execute()
        .await?;
        tx.query("delete from outbox where seq = $1").bind(row.seq).execute().await?;
    }
    tx.commit().await
}

/// How many events wait for the operator.
pub(super) async fn count(database: &Database) -> Result<i64, Error> {
    const SQL: &str = "select count(*) from outbox_set_aside";
    Ok(database.query("outbox: count set aside", SQL).one::<(i64,)>().await?.0)
}
