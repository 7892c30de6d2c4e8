//! Events that no broker takes: they are moved out of the outbox, and the operator lists, retries or purges them.

use std::time::SystemTime;

use crate::database::{self, Column, Database, Error, FromRow, Row, now};

/// The reasons for setting an event aside.
pub(super) mod reason {
    pub(crate) use crate::kafka::refusal::{INVALID, TOO_LARGE};

    /// The row cannot be read, or has values that no client could send.
    pub(crate) const UNREADABLE: &str = "unreadable";
    /// The broker refused it several times for a reason unknown to us, and took other events of its topic.
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

/// An event that was set aside, as the operator sees it. A text column that cannot be read is empty.
#[derive(Clone, Debug)]
pub struct SetAside {
    /// The number of its row in the outbox.
    pub seq: i64,
    /// The event's id.
    pub event_id: String,
    /// The topic that it was to be sent to.
    pub topic: String,
    /// Its key.
    pub key: String,
    /// Its type.
    pub event_type: String,
    /// Bytes of its payload.
    pub size: i64,
    /// Why it was set aside: `too_large`, `invalid`, `unreadable` or `refused`.
    pub reason: String,
    /// The error text of the client, the broker or the database.
    pub detail: String,
    /// How often the relay tried to send it.
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

/// Lists the events that were set aside, oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn list(database: &Database) -> Result<Vec<SetAside>, Error> {
    const SQL: &str =
        "select seq, event_id, topic, key, type, cast(coalesce(length(payload), 0) as bigint), reason, detail,
                       attempts, set_aside_at from outbox_set_aside order by seq";
    database.query("outbox: list set aside", SQL).all().await
}

/// Puts this event, or all events, back into the outbox, behind the rows that wait there. Returns how many.
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

/// Deletes this event, or all events, for good. Returns how many.
///
/// # Errors
/// The database does not answer.
pub async fn purge(database: &Database, seq: Option<i64>) -> Result<u64, Error> {
    let mut tx = database.begin("outbox: purge set aside").await?;
    let rows = delete(&mut tx, seq).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Stands for all events: the numbers of rows begin at 1.
const ALL: i64 = -1;

async fn delete(tx: &mut database::Tx, seq: Option<i64>) -> Result<u64, Error> {
    tx.query("delete from outbox_set_aside where $1 < 0 or seq = $1")
        .bind(seq.unwrap_or(ALL))
        .execute()
        .await
}

/// Moves rows from the outbox into the table of those that were set aside.
pub(super) async fn set_aside(database: &Database, rows: &[Unsendable]) -> Result<(), Error> {
    let mut tx = database.begin("outbox: set aside").await?;
    for row in rows {
        // The database copies the row, so a row that this process cannot read can still be moved.
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

/// Returns how many events are set aside and wait for the operator.
pub(super) async fn count(database: &Database) -> Result<i64, Error> {
    const SQL: &str = "select count(*) from outbox_set_aside";
    Ok(database.query("outbox: count set aside", SQL).one::<(i64,)>().await?.0)
}
