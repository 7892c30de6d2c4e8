//! The table of orders.

use chassis::database::{self, Database, Error, Statement, Tx};

use crate::domain::{Item, Order, Progress, Reason, Status, Step};

/// The row with an order's id.
#[derive(Debug)]
pub(crate) enum Found {
    Order(Box<Order>),
    /// Stock may have been reserved under this id, but the order was never written, and the stock was released.
    Abandoned,
}

/// The open orders with this status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) status: Status,
    pub(crate) number: i64,
    /// When the oldest of them was placed, in microseconds since the Unix epoch.
    pub(crate) oldest_at: i64,
}

/// The position in a list of orders: after this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct After {
    pub(crate) placed_at: i64,
    pub(crate) id: String,
}

/// The orders.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
}

type Row = (
    String,
    String,
    String,
    Option<String>,
    i64,
    i64,
    i64,
    String,
    String,
    String,
    i64,
    String,
    String,
    Option<String>,
    Option<String>,
);

macro_rules! select {
    ($($rest:literal)+) => {
        concat!(
            "select id, customer, status, reason, authorized, dispatched, delivered, items, history, currency, total_minor, ",
            "fingerprint, traceparent, tracestate, baggage from orders ",
            $($rest),+
        )
    };
}

const ABANDONED: &str = "abandoned";

impl Store {
    pub(crate) fn open(database: Database) -> Self {
        Self { database }
    }

    pub(crate) async fn begin(&self, operation: &'static str) -> Result<Tx, Error> {
        self.database.begin(operation).await
    }

    /// The number of open orders by status; statuses without orders are left out. The condition is that of the partial index.
    pub(crate) async fn open_orders(&self) -> Result<Vec<Open>, Error> {
        let sql = "select status, count(*), min(placed_at) from orders \
                   where status in ('placed', 'paid', 'dispatched') group by status";
        let rows =
            self.database.query("count open orders", sql).all::<(String, i64, i64)>().await?;
        let open = rows.into_iter().filter_map(|(word, number, oldest_at)| {
            let status = Status::ALL.into_iter().find(|status| status.word() == word)?;
            Some(Open { status, number, oldest_at })
        });
        Ok(open.collect())
    }

    pub(crate) async fn find(&self, id: &str) -> Result<Option<Found>, Error> {
        found(self.database.query("get order", select!("where id = $1")).bind(id)).await
    }

    /// The customer's orders, newest first.
    pub(crate) async fn list(
        &self,
        customer: &str,
        status: Option<Status>,
        after: Option<After>,
        limit: i64,
    ) -> Result<Vec<Order>, Error> {
        let after = after.unwrap_or(After { placed_at: i64::MAX, id: String::new() });
        let sql = select!(
            "where customer = $1 and status <> 'abandoned' and ($2 = '' or status = $2) "
            "and (placed_at < $3 or (placed_at = $3 and id < $4)) order by placed_at desc, id desc limit $5"
        );
        let query = self
            .database
            .query("list orders", sql)
            .bind(customer)
            .bind(status.map_or("", Status::word));
        orders(query.bind(after.placed_at).bind(after.id.as_str()).bind(limit)).await
    }

    /// All customers' orders after `id`, ordered by id.
    pub(crate) async fn all_after(&self, id: &str, limit: i64) -> Result<Vec<Order>, Error> {
        let sql = select!("where id > $1 and status <> 'abandoned' order by id limit $2");
        orders(self.database.query("list all orders", sql).bind(id).bind(limit)).await
    }
}

pub(crate) async fn find_in(tx: &mut Tx, id: &str) -> Result<Option<Found>, Error> {
    found(tx.query(select!("where id = $1")).bind(id)).await
}

/// Writes a new order; `false` if the id is taken.
pub(crate) async fn insert(tx: &mut Tx, order: &Order) -> Result<bool, Error> {
    let placed_at = order.progress.history.first().map_or(0, |step| step.at);
    let sql = "insert into orders (id, customer, status, reason, authorized, dispatched, delivered, items, history, currency, \
               total_minor, fingerprint, traceparent, tracestate, baggage, placed_at, revision) \
               values ($1, $2, $3, null, 0, 0, 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1) on conflict do nothing";
    let query = tx
        .query(sql)
        .bind(order.id.as_str())
        .bind(order.customer.as_str())
        .bind(order.progress.status().word());
    let query = query
        .bind(json(&order.items)?)
        .bind(json(&order.progress.history)?)
        .bind(order.currency.as_str());
    let query = query
        .bind(order.total_minor)
        .bind(order.fingerprint.as_str())
        .bind(order.traceparent.as_str());
    let query = query.bind(order.tracestate.as_deref()).bind(order.baggage.as_deref());
    Ok(query.bind(placed_at).execute().await? == 1)
}

/// Writes a tombstone; `false` if the order exists after all.
pub(crate) async fn abandon(tx: &mut Tx, id: &str, customer: &str) -> Result<bool, Error> {
    let sql = "insert into orders (id, customer, status, authorized, dispatched, delivered, items, history, currency, \
               total_minor, fingerprint, traceparent, placed_at, revision) \
               values ($1, $2, $3, 0, 0, 0, '[]', '[]', '', 0, '', '', $4, 0) on conflict do nothing";
    let query = tx.query(sql).bind(id).bind(customer).bind(ABANDONED).bind(database::now());
    Ok(query.execute().await? == 1)
}

/// Writes the changes; `false` if another transaction changed the order since it had the revision and the facts of `before`.
pub(crate) async fn update(tx: &mut Tx, before: &Progress, order: &Order) -> Result<bool, Error> {
    let now = &order.progress;
    let sql = "update orders set status = $1, reason = $2, authorized = $3, dispatched = $4, delivered = $5, history = $6, \
               revision = $7 where id = $8 and revision = $9 and authorized = $10 and dispatched = $11 and delivered = $12";
    let query = tx.query(sql).bind(now.status().word()).bind(now.cancelled.map(Reason::word));
    let query = query
        .bind(i64::from(now.authorized))
        .bind(i64::from(now.dispatched))
        .bind(i64::from(now.delivered));
    let query = query
        .bind(json(&now.history)?)
        .bind(revision(now))
        .bind(order.id.as_str())
        .bind(revision(before));
    let query = query.bind(i64::from(before.authorized)).bind(i64::from(before.dispatched));
    Ok(query.bind(i64::from(before.delivered)).execute().await? == 1)
}

fn revision(progress: &Progress) -> i64 {
    i64::try_from(progress.revision()).unwrap_or(i64::MAX)
}

async fn found(query: Statement<'_>) -> Result<Option<Found>, Error> {
    let Some(row) = query.optional::<Row>().await? else { return Ok(None) };
    if row.2 == ABANDONED {
        return Ok(Some(Found::Abandoned));
    }
    order(row).map(|order| Some(Found::Order(Box::new(order))))
}

async fn orders(query: Statement<'_>) -> Result<Vec<Order>, Error> {
    query.all::<Row>().await?.into_iter().map(order).collect()
}

fn order(row: Row) -> Result<Order, Error> {
    let (
        id,
        customer,
        _,
        reason,
        authorized,
        dispatched,
        delivered,
        items,
        history,
        currency,
        total,
        print,
        trace,
        tracestate,
        baggage,
    ) = row;
    let items: Vec<Item> = read(&items)?;
    let history: Vec<Step> = read(&history)?;
    let cancelled =
        reason.and_then(|word| Reason::ALL.into_iter().find(|reason| reason.word() == word));
    let (authorized, dispatched, delivered) = (authorized != 0, dispatched != 0, delivered != 0);
    let progress = Progress { authorized, dispatched, delivered, cancelled, history };
    Ok(Order {
        id,
        customer,
        items,
        currency,
        total_minor: total,
        fingerprint: print,
        traceparent: trace,
        tracestate,
        baggage,
        progress,
    })
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Encode(error.into()))
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Decode(error.into()))
}

#[cfg(test)]
#[path = "store/tests.rs"]
mod tests;
