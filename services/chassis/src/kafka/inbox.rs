//! What has had its effect: one row an event, written with the effect.

use crate::database::{Database, Error, Tx, now};

/// Whether the event has had its effect.
pub(super) async fn knows(database: &Database, event: &str, consumer: &str) -> Result<bool, Error> {
    let found: Option<(i64,)> = database
        .query("look into the inbox", "select at from inbox where event_id = $1 and consumer = $2")
        .bind(event)
        .bind(consumer)
        .optional()
        .await?;
    Ok(found.is_some())
}

/// Whether the event is new; from here on it is not.
pub(super) async fn enter(tx: &mut Tx, event: &str, consumer: &str) -> Result<bool, Error> {
    let rows = tx
        .query(
            "insert into inbox (event_id, consumer, at) values ($1, $2, $3) on conflict do nothing",
        )
        .bind(event)
        .bind(consumer)
        .bind(now())
        .execute()
        .await?;
    Ok(rows > 0)
}
