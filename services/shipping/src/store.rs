//! The table of shipments: ledger and timers in one.

use chassis::{
    database::{Database, Error, Tx, now},
    telemetry::Kept,
};

use crate::domain::State;

/// Shipments per page: few enough to fit in memory, many enough that the rows cost more than the query.
const PAGE: i64 = 500;

/// The shipment of one order.
#[derive(Clone, Debug)]
pub(crate) struct Shipment {
    pub(crate) order: String,
    pub(crate) customer: String,
    pub(crate) state: State,
    /// When its timer fires, in microseconds since the Unix epoch.
    pub(crate) due_at: Option<i64>,
    /// The trace context in which its timer fires.
    pub(crate) story: Kept,
}

/// The shipments.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
}

type Row = (String, String, String, Option<i64>, String, Option<String>, Option<String>, i64);

macro_rules! due {
    () => {
        "select order_id, customer, state, due_at, traceparent, tracestate, baggage, created_at
         from shipments where due_at <= $1 order by due_at limit $2"
    };
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    pub(crate) async fn begin(&self, operation: &'static str) -> Result<Tx, Error> {
        self.database.begin(operation).await
    }

    pub(crate) async fn state(&self, tx: &mut Tx, order: &str) -> Result<Option<State>, Error> {
        let row = tx
            .query("select state from shipments where order_id = $1")
            .bind(order)
            .optional()
            .await?;
        row.map(|(word,): (String,)| state(&word)).transpose()
    }

    /// Writes a shipment if its state still is `before`; `false` if it is not.
    pub(crate) async fn write(
        &self,
        tx: &mut Tx,
        before: Option<State>,
        shipment: &Shipment,
    ) -> Result<bool, Error> {
        let Shipment { order, customer, state, due_at, story } = shipment;
        let trace = story.traceparent.as_deref().unwrap_or_default();
        let (more, baggage) = (story.tracestate.as_deref(), story.baggage.as_deref());
        let written = match before {
            None => {
                let sql = "insert into shipments (order_id, customer, state, due_at, traceparent,
                    tracestate, baggage, created_at, updated_at)
                    values ($1, $2, $3, $4, $5, $6, $7, $8, $8) on conflict (order_id) do nothing";
                let query = tx.query(sql).bind(&**order).bind(&**customer).bind(state.word());
                let query = query.bind(*due_at).bind(trace).bind(more).bind(baggage);
                query.bind(now()).execute().await?
            }
            Some(before) => {
                let sql = "update shipments set state = $1, due_at = $2, traceparent = $3,
                    tracestate = $4, baggage = $5, updated_at = $6
                    where order_id = $7 and state = $8";
                let query = tx.query(sql).bind(state.word()).bind(*due_at).bind(trace);
                let query = query.bind(more).bind(baggage).bind(now());
                query.bind(&**order).bind(before.word()).execute().await?
            }
        };
        Ok(written > 0)
    }

    /// Shipments whose timer is due, the longest overdue first, and when each was scheduled. With PostgreSQL, rows that another
    /// replica has locked are skipped.
    pub(crate) async fn due(&self, tx: &mut Tx, most: i64) -> Result<Vec<(Shipment, i64)>, Error> {
        let sql = if self.database.is_postgres() {
            concat!(due!(), " for update skip locked")
        } else {
            due!()
        };
        let rows = tx.query(sql).bind(now()).bind(most).all::<Row>().await?;
        rows.into_iter().map(shipment).collect()
    }

    /// When the next timer fires, in microseconds since the Unix epoch.
    pub(crate) async fn next_due(&self) -> Result<Option<i64>, Error> {
        let sql = "select due_at from shipments where due_at is not null order by due_at limit 1";
        let row = self.database.query("next timer", sql).optional().await?;
        Ok(row.map(|(due,): (i64,)| due))
    }

    /// The number of pending timers.
    pub(crate) async fn pending(&self) -> Result<i64, Error> {
        let sql = "select count(*) from shipments where due_at is not null";
        let (count,): (i64,) = self.database.query("count timers", sql).one().await?;
        Ok(count)
    }

    /// A page of the ledger after `order`, ordered by the orders' ids.
    pub(crate) async fn page(&self, order: &str) -> Result<Vec<(String, State)>, Error> {
        let sql = "select order_id, state from shipments
            where order_id > $1 and state <> 'void' order by order_id limit $2";
        let query = self.database.query("list shipments", sql).bind(order).bind(PAGE);
        let rows = query.all::<(String, String)>().await?;
        rows.into_iter().map(|(order, word)| Ok((order, state(&word)?))).collect()
    }
}

fn shipment(
    (order, customer, word, due_at, traceparent, tracestate, baggage, scheduled_at): Row,
) -> Result<(Shipment, i64), Error> {
    let traceparent = Some(traceparent).filter(|parent| !parent.is_empty());
    let story = Kept { traceparent, tracestate, baggage };
    Ok((Shipment { order, customer, state: state(&word)?, due_at, story }, scheduled_at))
}

fn state(word: &str) -> Result<State, Error> {
    State::from_word(word)
        .ok_or_else(|| Error::Decode(format!("a shipment cannot be {word:?}").into()))
}
