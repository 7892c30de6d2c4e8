//! The tables of stock, reservations and their items.

use std::collections::HashMap;

use chassis::{
    database::{Database, Error, Tx},
    telemetry::Kept,
};
use proto::values::{CustomerId, OrderId, Quantity, Sku, Timestamp};

use crate::domain::{Change, Delta, Item, Reservation, State, by_sku};

/// The stock, and the orders' holds on it.
pub(crate) struct Store {
    database: Database,
}

/// A hold with its expiry, and the trace context that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) order: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) expires_at: Timestamp,
    pub(crate) trace: Kept,
}

chassis::row! {
    /// One item of a reservation, with the columns of the reservation.
    struct ItemRow {
        order_id: String,
        customer: String,
        state: String,
        expires_at: i64,
        sku: String,
        quantity: i64,
    }
}

chassis::row! {
    struct HoldRow {
        order_id: String,
        customer: String,
        expires_at: i64,
        traceparent: Option<String>,
        tracestate: Option<String>,
        baggage: Option<String>,
    }
}

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
    pub(crate) async fn due(&self, now: Timestamp, limit: i64) -> Result<Vec<Hold>, Error> {
        let sql = "select order_id, customer, expires_at, traceparent, tracestate, baggage from reservations \
                   where state = 'held' and expired_at is null and expires_at <= $1 \
                   order by expires_at limit $2";
        let query = self.database.query("find expired reservations", sql);
        let rows = query.bind(now.as_micros()).bind(limit).all::<HoldRow>().await?;
        Ok(rows.into_iter().map(Into::into).collect())
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
        order: Option<OrderId>,
        limit: i64,
    ) -> Result<Vec<Reservation>, Error> {
        let sql = "select r.order_id, r.customer, r.state, r.expires_at, l.sku, l.quantity \
                   from (select * from reservations where order_id > $1 order by order_id limit $2) r \
                   join reservation_lines l on l.order_id = r.order_id order by r.order_id, l.sku";
        let after = order.as_ref().map_or("", OrderId::as_str);
        let query = self.database.query("list reservations", sql).bind(after).bind(limit);
        reservations(query.all().await?)
    }

    /// Adds the stock of products that have none yet. Returns the number of products added.
    pub(crate) async fn supply(&self, stock: &[(Sku, i64)]) -> anyhow::Result<u64> {
        self.database.retry_while_unavailable(async || self.try_to_supply(stock).await).await
    }

    async fn try_to_supply(&self, stock: &[(Sku, i64)]) -> Result<u64, Error> {
        let mut added = 0;
        let mut tx = self.begin("supply stock").await?;
        for (sku, pieces) in stock {
            let sql = "insert into stock (sku, on_hand, reserved) values ($1, $2, 0) \
                       on conflict (sku) do nothing";
            added += tx.query(sql).bind(sku.as_str()).bind(*pieces).execute().await?;
        }
        tx.commit().await?;
        Ok(added)
    }

    /// Adds a reservation that holds these items; `false` if the order has a reservation already.
    pub(crate) async fn add(
        &self,
        tx: &mut Tx,
        hold: &Hold,
        items: &[Item],
    ) -> Result<bool, Error> {
        let order = hold.order.as_str();
        let sql = "insert into reservations \
                   (order_id, customer, state, expires_at, traceparent, tracestate, baggage) \
                   values ($1, $2, 'held', $3, $4, $5, $6) on conflict (order_id) do nothing";
        let insert = tx
            .query(sql)
            .bind(order)
            .bind(hold.customer.as_str())
            .bind(hold.expires_at.as_micros())
            .bind(hold.trace.traceparent.as_deref())
            .bind(hold.trace.tracestate.as_deref())
            .bind(hold.trace.baggage.as_deref());
        if insert.execute().await? == 0 {
            return Ok(false);
        }
        for (_, item) in by_sku(items) {
            let sql = "insert into reservation_lines (order_id, sku, quantity) values ($1, $2, $3)";
            let insert =
                tx.query(sql).bind(order).bind(item.sku.as_str()).bind(i64::from(item.quantity));
            insert.execute().await?;
        }
        Ok(true)
    }

    /// Prevents later reservations for an order without one: writes a released reservation without items, as a mark. No list
    /// contains it.
    pub(crate) async fn refuse(
        &self,
        tx: &mut Tx,
        order: &OrderId,
        customer: &CustomerId,
        at: Timestamp,
    ) -> Result<(), Error> {
        let sql = "insert into reservations (order_id, customer, state, expires_at, settled_at) \
                   values ($1, $2, 'released', $3, $3) on conflict (order_id) do nothing";
        tx.query(sql)
            .bind(order.as_str())
            .bind(customer.as_str())
            .bind(at.as_micros())
            .execute()
            .await?;
        Ok(())
    }

    /// The order's reservation; `None` if there is none, or only the mark of [`Store::refuse`].
    pub(crate) async fn find(
        &self,
        tx: &mut Tx,
        order: &OrderId,
    ) -> Result<Option<Reservation>, Error> {
        let sql = "select r.order_id, r.customer, r.state, r.expires_at, l.sku, l.quantity \
                   from reservations r join reservation_lines l on l.order_id = r.order_id \
                   where r.order_id = $1 order by l.sku";
        let rows = tx.query(sql).bind(order.as_str()).all().await?;
        Ok(reservations(rows)?.pop())
    }

    /// Holds the pieces of an item; `false` if there are not enough.
    pub(crate) async fn take(&self, tx: &mut Tx, item: &Item) -> Result<bool, Error> {
        let sql =
            "update stock set reserved = reserved + $1 where sku = $2 and on_hand - reserved >= $1";
        Ok(tx.query(sql).bind(i64::from(item.quantity)).bind(item.sku.as_str()).execute().await?
            == 1)
    }

    /// The available pieces; `None` if the product does not exist.
    pub(crate) async fn available_in(&self, tx: &mut Tx, sku: &Sku) -> Result<Option<i64>, Error> {
        let sql = "select on_hand - reserved from stock where sku = $1";
        let row: Option<(i64,)> = tx.query(sql).bind(sku.as_str()).optional().await?;
        Ok(row.map(|(available,)| available))
    }

    /// Gives a reservation its new state; `false` if another transaction changed it since it was read.
    pub(crate) async fn settle(
        &self,
        tx: &mut Tx,
        known: &Reservation,
        change: Change,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let sql = "update reservations set state = $1, settled_at = $2 where order_id = $3 and state = $4";
        let update = tx
            .query(sql)
            .bind(change.state().as_str())
            .bind(at.as_micros())
            .bind(known.order.as_str())
            .bind(known.state.as_str());
        Ok(update.execute().await? == 1)
    }

    /// Adds to a product's stock.
    pub(crate) async fn adjust(&self, tx: &mut Tx, sku: &Sku, delta: Delta) -> Result<(), Error> {
        let sql =
            "update stock set on_hand = on_hand + $1, reserved = reserved + $2 where sku = $3";
        tx.query(sql).bind(delta.on_hand).bind(delta.reserved).bind(sku.as_str()).execute().await?;
        Ok(())
    }

    /// Marks a hold as expired; `false` if it was marked before, or is no longer held.
    pub(crate) async fn expire(
        &self,
        tx: &mut Tx,
        order: &OrderId,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let sql = "update reservations set expired_at = $1 \
                   where order_id = $2 and state = 'held' and expired_at is null";
        Ok(tx.query(sql).bind(at.as_micros()).bind(order.as_str()).execute().await? == 1)
    }
}

impl From<HoldRow> for Hold {
    fn from(row: HoldRow) -> Self {
        let HoldRow { traceparent, tracestate, baggage, .. } = row;
        Self {
            order: OrderId::stored(row.order_id),
            customer: CustomerId::stored(row.customer),
            expires_at: Timestamp::from_micros(row.expires_at),
            trace: Kept { traceparent, tracestate, baggage },
        }
    }
}

/// Combines the rows of a reservation, which follow one another.
fn reservations(rows: Vec<ItemRow>) -> Result<Vec<Reservation>, Error> {
    let mut found: Vec<Reservation> = Vec::new();
    for row in rows {
        let item = Item { sku: Sku::stored(row.sku), quantity: Quantity::stored(row.quantity) };
        let order = OrderId::stored(row.order_id);
        match found.last_mut().filter(|last| last.order == order) {
            Some(last) => last.items.push(item),
            None => found.push(Reservation {
                order,
                customer: CustomerId::stored(row.customer),
                state: state(&row.state)?,
                expires_at: Timestamp::from_micros(row.expires_at),
                items: vec![item],
            }),
        }
    }
    Ok(found)
}

fn state(word: &str) -> Result<State, Error> {
    let state = State::ALL.into_iter().find(|state| state.as_str() == word);
    state.ok_or_else(|| Error::Decode(format!("a reservation cannot be {word:?}").into()))
}

#[cfg(test)]
#[path = "store/tests.rs"]
pub(crate) mod tests;
