//! The table of shipments: the ledger and the timers in one.

use chassis::{
    database::{Database, Error, Tx},
    telemetry::Kept,
};
use proto::values::{CustomerId, OrderId, Timestamp};

use crate::domain::State;

/// The shipment of one order.
#[derive(Clone, Debug)]
pub(crate) struct Shipment {
    pub(crate) order: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) state: State,
    /// When its timer fires; `None` without a timer.
    pub(crate) due_at: Option<Timestamp>,
    /// The trace context in which its timer fires.
    pub(crate) trace: Kept,
}

/// A shipment in the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) order: OrderId,
    pub(crate) state: State,
}

chassis::row! {
    struct ShipmentRow {
        order_id: String,
        customer: String,
        state: String,
        due_at: Option<i64>,
        traceparent: String,
        tracestate: Option<String>,
        baggage: Option<String>,
        created_at: i64,
    }
}

chassis::row! {
    struct EntryRow {
        order_id: String,
        state: String,
    }
}

macro_rules! due {
    () => {
        "select order_id, customer, state, due_at, traceparent, tracestate, baggage, created_at
         from shipments where due_at <= $1 order by due_at limit $2"
    };
}

/// The shipments.
pub(crate) struct Store {
    database: Database,
}

impl Store {
    pub(crate) fn open(database: Database) -> Self {
        Self { database }
    }

    pub(crate) async fn begin(&self, operation: &'static str) -> Result<Tx, Error> {
        self.database.begin(operation).await
    }

    pub(crate) async fn state(&self, tx: &mut Tx, order: &OrderId) -> Result<Option<State>, Error> {
        let query = tx.query("select state from shipments where order_id = $1");
        let row = query.bind(order.as_str()).optional().await?;
        row.map(|(text,): (String,)| state(&text)).transpose()
    }

    /// Adds a shipment; returns `false` if the order has one already.
    pub(crate) async fn add(
        &self,
        tx: &mut Tx,
        shipment: &Shipment,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let sql = "insert into shipments (order_id, customer, state, due_at, traceparent,
            tracestate, baggage, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $8) on conflict (order_id) do nothing";
        let query = tx.query(sql).bind(shipment.order.as_str()).bind(shipment.customer.as_str());
        let query = query.bind(shipment.state.as_str()).bind(micros(shipment.due_at));
        let query = query.bind(shipment.trace.traceparent.as_deref().unwrap_or_default());
        let query = query.bind(shipment.trace.tracestate.as_deref());
        let query = query.bind(shipment.trace.baggage.as_deref()).bind(now.as_micros());
        Ok(query.execute().await? > 0)
    }

    /// Changes a shipment whose state still is `before`; returns `false` if it is not.
    pub(crate) async fn update(
        &self,
        tx: &mut Tx,
        before: State,
        shipment: &Shipment,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let sql = "update shipments set state = $1, due_at = $2, traceparent = $3, tracestate = $4,
            baggage = $5, updated_at = $6 where order_id = $7 and state = $8";
        let query = tx.query(sql).bind(shipment.state.as_str()).bind(micros(shipment.due_at));
        let query = query.bind(shipment.trace.traceparent.as_deref().unwrap_or_default());
        let query = query.bind(shipment.trace.tracestate.as_deref());
        let query = query.bind(shipment.trace.baggage.as_deref()).bind(now.as_micros());
        let query = query.bind(shipment.order.as_str()).bind(before.as_str());
        Ok(query.execute().await? > 0)
    }

    /// Shipments whose timer is due, the longest overdue first, and when each was scheduled. With PostgreSQL, rows that another
    /// replica has locked are skipped.
    pub(crate) async fn due(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        most: i64,
    ) -> Result<Vec<(Shipment, Timestamp)>, Error> {
        let sql = if self.database.is_postgres() {
            concat!(due!(), " for update skip locked")
        } else {
            due!()
        };
        let rows = tx.query(sql).bind(now.as_micros()).bind(most).all::<ShipmentRow>().await?;
        let shipment = |row: ShipmentRow| {
            let scheduled_at = Timestamp::from_micros(row.created_at);
            Ok((Shipment::try_from(row)?, scheduled_at))
        };
        rows.into_iter().map(shipment).collect()
    }

    /// When the next timer fires; `None` without a timer.
    pub(crate) async fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        let sql = "select due_at from shipments where due_at is not null order by due_at limit 1";
        let row = self.database.query("next timer", sql).optional().await?;
        Ok(row.map(|(due,): (i64,)| Timestamp::from_micros(due)))
    }

    /// The number of pending timers.
    pub(crate) async fn pending(&self) -> Result<i64, Error> {
        let sql = "select count(*) from shipments where due_at is not null";
        let (count,): (i64,) = self.database.query("count timers", sql).one().await?;
        Ok(count)
    }

    /// A page of the ledger, ordered by the orders' ids: the entries after this order, or the first ones.
    pub(crate) async fn page(
        &self,
        after: Option<&OrderId>,
        most: i64,
    ) -> Result<Vec<Entry>, Error> {
        let sql = "select order_id, state from shipments
            where order_id > $1 and state <> 'void' order by order_id limit $2";
        let query = self.database.query("list shipments", sql);
        let query = query.bind(after.map_or("", OrderId::as_str)).bind(most);
        query.all::<EntryRow>().await?.into_iter().map(Entry::try_from).collect()
    }
}

impl TryFrom<ShipmentRow> for Shipment {
    type Error = Error;

    fn try_from(row: ShipmentRow) -> Result<Self, Error> {
        let traceparent = Some(row.traceparent).filter(|parent| !parent.is_empty());
        Ok(Self {
            order: OrderId::stored(row.order_id),
            customer: CustomerId::stored(row.customer),
            state: state(&row.state)?,
            due_at: row.due_at.map(Timestamp::from_micros),
            trace: Kept { traceparent, tracestate: row.tracestate, baggage: row.baggage },
        })
    }
}

impl TryFrom<EntryRow> for Entry {
    type Error = Error;

    fn try_from(row: EntryRow) -> Result<Self, Error> {
        Ok(Self { order: OrderId::stored(row.order_id), state: state(&row.state)? })
    }
}

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}

fn state(text: &str) -> Result<State, Error> {
    State::parse(text).ok_or_else(|| Error::Decode(format!("{text:?} is no state").into()))
}
