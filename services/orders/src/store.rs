//! The table of orders.

use chassis::{
    database::{Database, Error, Statement, Tx},
    telemetry::Kept,
};
use proto::values::{CustomerId, Money, OrderId, Timestamp};

use crate::domain::{Order, Position, Progress, Reason, Selection, Status};

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
    /// When the oldest of them was placed.
    pub(crate) oldest_at: Timestamp,
}

/// The orders.
pub(crate) struct Store {
    database: Database,
}

chassis::row! {
    struct OrderRow {
        id: String,
        customer: String,
        status: String,
        reason: Option<String>,
        authorized: i64,
        dispatched: i64,
        delivered: i64,
        items: String,
        history: String,
        currency: String,
        total_minor: i64,
        fingerprint: String,
        traceparent: String,
        tracestate: Option<String>,
        baggage: Option<String>,
    }
}

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
            let status = Status::ALL.into_iter().find(|status| status.as_str() == word)?;
            Some(Open { status, number, oldest_at: oldest_at.into() })
        });
        Ok(open.collect())
    }

    pub(crate) async fn find(&self, id: &OrderId) -> Result<Option<Found>, Error> {
        let query = self.database.query("get order", select!("where id = $1"));
        found(query.bind(id.as_str())).await
    }

    pub(crate) async fn find_in(&self, tx: &mut Tx, id: &OrderId) -> Result<Option<Found>, Error> {
        found(tx.query(select!("where id = $1")).bind(id.as_str())).await
    }

    /// The selected orders, newest first.
    pub(crate) async fn list(
        &self,
        selection: &Selection,
        limit: usize,
    ) -> Result<Vec<Order>, Error> {
        let Selection { customer, status, after, .. } = selection;
        let (placed_at, id) = match after {
            Some(Position { placed_at, id }) => (placed_at.as_micros(), id.as_str()),
            None => (i64::MAX, ""),
        };
        let sql = select!(
            "where customer = $1 and status <> 'abandoned' and ($2 = '' or status = $2) "
            "and (placed_at < $3 or (placed_at = $3 and id < $4)) order by placed_at desc, id desc limit $5"
        );
        let query = self.database.query("list orders", sql).bind(customer.as_str());
        let query = query.bind(status.map_or("", Status::as_str)).bind(placed_at).bind(id);
        orders(query.bind(i64::try_from(limit).unwrap_or(i64::MAX))).await
    }

    /// All customers' orders after `id`, ordered by id.
    pub(crate) async fn after(&self, id: Option<OrderId>, limit: i64) -> Result<Vec<Order>, Error> {
        let sql = select!("where id > $1 and status <> 'abandoned' order by id limit $2");
        let after = id.as_ref().map_or("", OrderId::as_str);
        orders(self.database.query("list all orders", sql).bind(after).bind(limit)).await
    }

    /// Writes a new order; `false` if the id is taken.
    pub(crate) async fn insert(&self, tx: &mut Tx, order: &Order) -> Result<bool, Error> {
        let sql = "insert into orders (id, customer, status, reason, authorized, dispatched, delivered, items, history, currency, \
                   total_minor, fingerprint, traceparent, tracestate, baggage, placed_at, revision) \
                   values ($1, $2, $3, null, 0, 0, 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1) on conflict do nothing";
        let Order { id, customer, items, total, fingerprint, trace, progress } = order;
        let query = tx.query(sql).bind(id.as_str()).bind(customer.as_str());
        let query = query.bind(progress.status().as_str()).bind(json(items)?);
        let query = query.bind(json(&progress.history)?).bind(total.currency().as_str());
        let query = query.bind(total.amount_minor()).bind(fingerprint);
        let query = query.bind(trace.traceparent.as_deref().unwrap_or_default());
        let query = query.bind(trace.tracestate.as_deref()).bind(trace.baggage.as_deref());
        Ok(query.bind(progress.placed_at().as_micros()).execute().await? == 1)
    }

    /// Writes a tombstone; `false` if the order exists after all.
    pub(crate) async fn abandon(
        &self,
        tx: &mut Tx,
        id: &OrderId,
        customer: &CustomerId,
    ) -> Result<bool, Error> {
        let sql = "insert into orders (id, customer, status, authorized, dispatched, delivered, items, history, currency, \
                   total_minor, fingerprint, traceparent, placed_at, revision) \
                   values ($1, $2, $3, 0, 0, 0, '[]', '[]', '', 0, '', '', $4, 0) on conflict do nothing";
        let query = tx.query(sql).bind(id.as_str()).bind(customer.as_str()).bind(ABANDONED);
        Ok(query.bind(Timestamp::now().as_micros()).execute().await? == 1)
    }

    /// Writes the changes; `false` if another transaction changed the order since it had the revision and the facts of
    /// `before`.
    pub(crate) async fn update(
        &self,
        tx: &mut Tx,
        before: &Progress,
        order: &Order,
    ) -> Result<bool, Error> {
        let now = &order.progress;
        let sql = "update orders set status = $1, reason = $2, authorized = $3, dispatched = $4, delivered = $5, history = $6, \
                   revision = $7 where id = $8 and revision = $9 and authorized = $10 and dispatched = $11 and delivered = $12";
        let query = tx.query(sql).bind(now.status().as_str());
        let query = query.bind(now.cancelled.map(Reason::as_str)).bind(i64::from(now.authorized));
        let query = query.bind(i64::from(now.dispatched)).bind(i64::from(now.delivered));
        let query = query.bind(json(&now.history)?).bind(now.revision());
        let query = query.bind(order.id.as_str()).bind(before.revision());
        let query = query.bind(i64::from(before.authorized)).bind(i64::from(before.dispatched));
        Ok(query.bind(i64::from(before.delivered)).execute().await? == 1)
    }
}

async fn found(query: Statement<'_>) -> Result<Option<Found>, Error> {
    let Some(row) = query.optional::<OrderRow>().await? else { return Ok(None) };
    if row.status == ABANDONED {
        return Ok(Some(Found::Abandoned));
    }
    Ok(Some(Found::Order(Box::new(row.order()?))))
}

async fn orders(query: Statement<'_>) -> Result<Vec<Order>, Error> {
    query.all().await?.into_iter().map(OrderRow::order).collect()
}

impl OrderRow {
    fn order(self) -> Result<Order, Error> {
        let Self { traceparent, tracestate, baggage, .. } = self;
        let traceparent = Some(traceparent).filter(|traceparent| !traceparent.is_empty());
        let reason = |word| Reason::ALL.into_iter().find(|reason| reason.as_str() == word);
        Ok(Order {
            id: OrderId::stored(self.id),
            customer: CustomerId::stored(self.customer),
            items: from_json(&self.items)?,
            total: Money::stored(self.currency, self.total_minor),
            fingerprint: self.fingerprint,
            trace: Kept { traceparent, tracestate, baggage },
            progress: Progress {
                authorized: self.authorized != 0,
                dispatched: self.dispatched != 0,
                delivered: self.delivered != 0,
                cancelled: self.reason.as_deref().and_then(reason),
                history: from_json(&self.history)?,
            },
        })
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Encode(error.into()))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Decode(error.into()))
}

#[cfg(test)]
#[path = "store/tests.rs"]
mod tests;
