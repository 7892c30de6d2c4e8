//! The inbox: one row for each event that was handled, written in the transaction of its effect.
//!
//! A row has the position of its event: the topic, partition and offset that it was delivered from. It is deleted when it is old
//! and the group has committed a higher offset: until then the event may be delivered again, however long the process was away.

pub(super) mod purge;

use crate::{
    database::{Database, Error, Tx, now},
    kafka::record::Record,
};

/// What the inbox knew about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The event was not in the inbox. It is now.
    New,
    /// The event was in the inbox, from the same position.
    Known,
    /// The event was in the inbox, from another position: it is on the topic twice. Once the transaction is committed, its row has
    /// the later position.
    Moved,
}

/// Returns whether the event has been handled. Updates its position if that is another one.
pub(super) async fn knows(
    database: &Database,
    record: &Record,
    consumer: &str,
) -> Result<bool, Error> {
    const SQL: &str =
        "select topic, partition_id, position from inbox where event_id = $1 and consumer = $2";
    type Found = (Option<String>, Option<i64>, Option<i64>);
    let found: Option<Found> = database
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

/// Enters the event, unless it is in the inbox already.
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

/// Notes that the event was delivered from a higher offset, or from another partition. Returns how many rows changed.
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
