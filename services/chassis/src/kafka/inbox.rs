//! What has had its effect: one row an event, written with the effect.
//!
//! A row knows where its event was delivered from, and is forgotten when the group has committed an offset above that and the row
//! is old: until then the event may be delivered again, however long the process was away meanwhile.

use super::record::Record;
use crate::database::{Database, Error, Tx, now};

/// What the inbox knew of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Nothing; from here on it knows it.
    New,
    /// It is there, from the same place.
    Known,
    /// It is there, from another place: the event is on the topic twice. From here on the later place counts, once that is
    /// committed.
    Moved,
}

/// Whether the event has had its effect.
pub(super) async fn knows(
    database: &Database,
    record: &Record,
    consumer: &str,
) -> Result<bool, Error> {
    const SQL: &str =
        "select topic, partition_id, position from inbox where event_id = $1 and consumer = $2";
    type Place = (Option<String>, Option<i64>, Option<i64>);
    let found: Option<Place> = database
        .query("look into the inbox", SQL)
        .bind(record.id())
        .bind(consumer)
        .optional()
        .await?;
    let Some((topic, partition, position)) = found else { return Ok(false) };
    let same = topic.as_deref() == Some(&record.topic)
        && partition == Some(record.partition.into())
        && position >= Some(record.offset);
    if !same {
        let mut tx = database.begin("move in the inbox").await?;
        relocate(&mut tx, record, consumer).await?;
        tx.commit().await?;
    }
    Ok(true)
}

/// Enters the event, unless it is there.
pub(super) async fn enter(tx: &mut Tx, record: &Record, consumer: &str) -> Result<Entry, Error> {
    let rows = tx
        .query(
            "insert into inbox (event_id, consumer, at, topic, partition_id, position) values ($1, $2, $3, $4, $5, $6)
             on conflict do nothing",
        )
        .bind(record.id())
        .bind(consumer)
        .bind(now())
        .bind(&record.topic)
        .bind(i64::from(record.partition))
        .bind(record.offset)
        .execute()
        .await?;
    if rows > 0 {
        return Ok(Entry::New);
    }
    let moved = relocate(tx, record, consumer).await?;
    Ok(if moved > 0 { Entry::Moved } else { Entry::Known })
}

/// Notes that the event was delivered from further on, or from another partition.
async fn relocate(tx: &mut Tx, record: &Record, consumer: &str) -> Result<u64, Error> {
    tx.query(
        "update inbox set topic = $3, partition_id = $4, position = $5
         where event_id = $1 and consumer = $2
         and (position is null or topic <> $3 or partition_id <> $4 or position < $5)",
    )
    .bind(record.id())
    .bind(consumer)
    .bind(&record.topic)
    .bind(i64::from(record.partition))
    .bind(record.offset)
    .execute()
    .await
}
