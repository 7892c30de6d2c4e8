//! The tables of stock, reservations and their lines.

use std::collections::HashMap;

use chassis::{
    database::{Database, Error, Tx},
    telemetry::Kept,
};
use uuid::Uuid;

use crate::domain::{Change, Delta, Line, Lines, Reservation, State};

/// The stock, and the orders' holds on it.
pub(crate) struct Store {
    database: Database,
}

/// A hold with its expiry, and the trace context that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) order: Uuid,
    pub(crate) customer: String,
    pub(crate) expires_at: i64,
    pub(crate) story: Kept,
}

/// One line of a reservation, with the columns of the reservation.
type Row = (String, String, String, i64, String, i64);

/// An expired hold.
type HoldRow = (String, String, i64, Option<String>, Option<String>, Option<String>);

impl Store {
    pub(crate) fn open(database: Database) -> Self {
        Self { database }
    }

    pub(crate) async fn begin(&self, operation: &'static str) -> Result<Tx, Error> {
        self.database.begin(operation).await
    }

    /// The available pieces by SKU, without unknown products.
    pub(crate) async fn available(&self, skus: &[String]) -> Result<HashMap<String, i64>, Error> {
        // The list is passed as one JSON array: the statement is the same for any number of SKUs.
        let sql = if self.database.is_postgres() {
            "select sku, on_hand - reserved from stock \
             where sku in (select json_array_elements_text(cast($1 as json)))"
        } else {
            "select sku, on_hand - reserved from stock where sku in (select value from json_each($1))"
        };
        let skus = serde_json::to_string(skus).map_err(|error| Error::Encode(error.into()))?;
        let rows: Vec<_> = self.database.query("get availability", sql).bind(skus).all().await?;
        Ok(rows.into_iter().collect())
    }

    /// Expired holds whose event was not published yet, earliest first.
    pub(crate) async fn due(&self, now: i64, limit: i64) -> Result<Vec<Hold>, Error> {
        let sql = "select order_id, customer, expires_at, traceparent, tracestate, baggage from reservations \
                   where state = 'held' and expired_at is null and expires_at <= $1 \
                   order by expires_at limit $2";
        let query = self.database.query("find expired reservations", sql).bind(now).bind(limit);
        query.all::<HoldRow>().await?.into_iter().map(hold).collect()
    }

    /// The number of reservations that hold stock.
    pub(crate) async fn held(&self) -> Result<i64, Error> {
        let sql = "select count(*) from reservations where state = 'held'";
        let (count,) = self.database.query("count held reservations", sql).one().await?;
        Ok(count)
    }

    /// At most `limit` reservations after the one of `order`, ordered by the orders' ids.
    pub(crate) async fn after(
        &self,
        order: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Reservation>, Error> {
        let sql = "select r.order_id, r.customer, r.state, r.expires_at, l.sku, l.quantity \
                   from (select * from reservations where order_id > $1 order by order_id limit $2) r \
                   join reservation_lines l on l.order_id = r.order_id order by r.order_id, l.sku";
        let after = order.map(|order| order.to_string()).unwrap_or_default();
        let query = self.database.query("list reservations", sql).bind(after).bind(limit);
        reservations(query.all().await?)
    }

    /// Adds the stock of products that have none yet. Returns the number of products added.
    pub(crate) async fn supply(&self, stock: &[Line]) -> anyhow::Result<u64> {
        self.database.retry_while_unavailable(async || self.try_to_supply(stock).await).await
    }

    async fn try_to_supply(&self, stock: &[Line]) -> Result<u64, Error> {
        let mut added = 0;
        let mut tx = self.begin("supply stock").await?;
        for Line { sku, quantity } in stock {
            let sql = "insert into stock (sku, on_hand, reserved) values ($1, $2, 0) \
                       on conflict (sku) do nothing";
            added += tx.query(sql).bind(sku.as_str()).bind(*quantity).execute().await?;
        }
        tx.commit().await?;
        Ok(added)
    }
}

/// Adds a reservation that holds these lines; `false` if the order has a reservation already.
pub(crate) async fn add(tx: &mut Tx, hold: &Hold, lines: &Lines) -> Result<bool, Error> {
    let order = hold.order.to_string();
    let sql = "insert into reservations \
               (order_id, customer, state, expires_at, traceparent, tracestate, baggage) \
               values ($1, $2, 'held', $3, $4, $5, $6) on conflict (order_id) do nothing";
    let insert = tx
        .query(sql)
        .bind(order.as_str())
        .bind(hold.customer.as_str())
        .bind(hold.expires_at)
        .bind(hold.story.traceparent.as_deref())
        .bind(hold.story.tracestate.as_deref())
        .bind(hold.story.baggage.as_deref());
    if insert.execute().await? == 0 {
        return Ok(false);
    }
    for (_, line) in lines.by_sku() {
        let sql = "insert into reservation_lines (order_id, sku, quantity) values ($1, $2, $3)";
        let insert = tx.query(sql).bind(order.as_str()).bind(line.sku.as_str()).bind(line.quantity);
        insert.execute().await?;
    }
    Ok(true)
}

/// Prevents later reservations for an order without one: writes a released reservation without lines, as a mark. No list
/// contains it.
pub(crate) async fn refuse(tx: &mut Tx, order: Uuid, customer: &str, at: i64) -> Result<(), Error> {
    let sql = "insert into reservations (order_id, customer, state, expires_at, settled_at) \
               values ($1, $2, 'released', $3, $3) on conflict (order_id) do nothing";
    tx.query(sql).bind(order.to_string()).bind(customer).bind(at).execute().await?;
    Ok(())
}

/// The order's reservation; `None` if there is none, or only the mark of [`refuse`].
pub(crate) async fn find(tx: &mut Tx, order: Uuid) -> Result<Option<Reservation>, Error> {
    let sql = "select r.order_id, r.customer, r.state, r.expires_at, l.sku, l.quantity \
               from reservations r join reservation_lines l on l.order_id = r.order_id \
               where r.order_id = $1 order by l.sku";
    let rows = tx.query(sql).bind(order.to_string()).all().await?;
    Ok(reservations(rows)?.pop())
}

/// Holds the pieces of a line; `false` if there are not enough.
pub(crate) async fn take(tx: &mut Tx, line: &Line) -> Result<bool, Error> {
    let sql =
        "update stock set reserved = reserved + $1 where sku = $2 and on_hand - reserved >= $1";
    Ok(tx.query(sql).bind(line.quantity).bind(line.sku.as_str()).execute().await? == 1)
}

/// The available pieces; `None` if the product does not exist.
pub(crate) async fn available(tx: &mut Tx, sku: &str) -> Result<Option<i64>, Error> {
    let sql = "select on_hand - reserved from stock where sku = $1";
    let row: Option<(i64,)> = tx.query(sql).bind(sku).optional().await?;
    Ok(row.map(|(available,)| available))
}

/// Gives a reservation its new state; `false` if another transaction changed it since it was read.
pub(crate) async fn settle(
    tx: &mut Tx,
    known: &Reservation,
    change: Change,
    at: i64,
) -> Result<bool, Error> {
    let sql =
        "update reservations set state = $1, settled_at = $2 where order_id = $3 and state = $4";
    let update = tx
        .query(sql)
        .bind(change.state().word())
        .bind(at)
        .bind(known.order.to_string())
        .bind(known.state.word());
    Ok(update.execute().await? == 1)
}

/// Adds to a product's stock.
pub(crate) async fn adjust(tx: &mut Tx, sku: &str, delta: Delta) -> Result<(), Error> {
    let sql = "update stock set on_hand = on_hand + $1, reserved = reserved + $2 where sku = $3";
    tx.query(sql).bind(delta.on_hand).bind(delta.reserved).bind(sku).execute().await?;
    Ok(())
}

/// Marks a hold as expired; `false` if it was marked before, or is no longer held.
pub(crate) async fn expire(tx: &mut Tx, order: Uuid, at: i64) -> Result<bool, Error> {
    let sql = "update reservations set expired_at = $1 \
               where order_id = $2 and state = 'held' and expired_at is null";
    Ok(tx.query(sql).bind(at).bind(order.to_string()).execute().await? == 1)
}

fn hold(
    (order, customer, expires_at, traceparent, tracestate, baggage): HoldRow,
) -> Result<Hold, Error> {
    let story = Kept { traceparent, tracestate, baggage };
    Ok(Hold { order: id(&order)?, customer, expires_at, story })
}

/// Combines the rows of a reservation, which follow one another.
fn reservations(rows: Vec<Row>) -> Result<Vec<Reservation>, Error> {
    let mut found: Vec<Reservation> = Vec::new();
    for (order, customer, state, expires_at, sku, quantity) in rows {
        let (order, line) = (id(&order)?, Line { sku, quantity });
        match found.last_mut().filter(|last| last.order == order) {
            Some(last) => last.lines.push(line),
            None => {
                let state =
                    State::of(&state).ok_or_else(|| unreadable(format!("state {state:?}")))?;
                found.push(Reservation { order, customer, state, expires_at, lines: vec![line] });
            }
        }
    }
    Ok(found)
}

fn id(text: &str) -> Result<Uuid, Error> {
    Uuid::parse_str(text).map_err(unreadable)
}

fn unreadable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Decode(cause.into())
}

#[cfg(test)]
#[path = "store/tests.rs"]
pub(crate) mod tests;
