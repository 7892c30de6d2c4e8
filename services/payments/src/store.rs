//! The payments' table.

use chassis::database::{Database, Error, Tx, now};

use crate::domain::{Money, Payment, State};

/// Payments a page: few enough to be held in memory, many enough that a page costs more than its query.
const PAGE: i64 = 500;

/// The payments.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
}

type StateRow = (String, Option<String>, Option<String>);
type Row = (String, String, String, i64, String, Option<String>, Option<String>);

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// The state outside of a transaction: good for a question, not for a decision.
    pub(crate) async fn peek(&self, order: &str) -> Result<Option<State>, Error> {
        let sql = "select state, charge_id, decline_reason from payments where order_id = $1";
        self.database.query("get payment", sql).bind(order).optional().await?.map(state).transpose()
    }

    pub(crate) async fn state(&self, tx: &mut Tx, order: &str) -> Result<Option<State>, Error> {
        let sql = "select state, charge_id, decline_reason from payments where order_id = $1";
        tx.query(sql).bind(order).optional().await?.map(state).transpose()
    }

    /// Writes a new payment; `false` if the order has one by now.
    pub(crate) async fn insert(&self, tx: &mut Tx, payment: &Payment) -> Result<bool, Error> {
        let Payment { order, customer, amount, state } = payment;
        let (charge, reason) = match state {
            State::Authorized { charge } | State::Refunded { charge } => (Some(&**charge), None),
            State::Declined { reason } => (None, Some(&**reason)),
            State::Failed | State::Void => (None, None),
        };
        let sql = "insert into payments
            (order_id, customer, currency, amount_minor, state, charge_id, decline_reason, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $8) on conflict (order_id) do nothing";
        let query = tx
            .query(sql)
            .bind(&**order)
            .bind(&**customer)
            .bind(&*amount.currency)
            .bind(amount.minor);
        Ok(query.bind(state.word()).bind(charge).bind(reason).bind(now()).execute().await? > 0)
    }

    /// Marks a payment as given back; `false` if it is not authorized any more.
    pub(crate) async fn refund(&self, tx: &mut Tx, order: &str) -> Result<bool, Error> {
        let sql = "update payments set state = 'refunded', updated_at = $2 where order_id = $1 and state = 'authorized'";
        Ok(tx.query(sql).bind(order).bind(now()).execute().await? > 0)
    }

    /// A page of the ledger, in the order of the orders' ids, from after `order`.
    pub(crate) async fn page(&self, order: &str) -> Result<Vec<Payment>, Error> {
        let sql =
            "select order_id, customer, currency, amount_minor, state, charge_id, decline_reason
            from payments where order_id > $1 and state <> 'void' order by order_id limit $2";
        let rows =
            self.database.query("list payments", sql).bind(order).bind(PAGE).all::<Row>().await?;
        rows.into_iter().map(payment).collect()
    }
}

fn payment(
    (order, customer, currency, minor, word, charge, reason): Row,
) -> Result<Payment, Error> {
    let state = state((word, charge, reason))?;
    Ok(Payment { order, customer, amount: Money { currency, minor }, state })
}

fn state((word, charge, reason): StateRow) -> Result<State, Error> {
    match (&*word, charge, reason) {
        ("authorized", Some(charge), _) => Ok(State::Authorized { charge }),
        ("refunded", Some(charge), _) => Ok(State::Refunded { charge }),
        ("declined", _, Some(reason)) => Ok(State::Declined { reason }),
        ("failed", ..) => Ok(State::Failed),
        ("void", ..) => Ok(State::Void),
        _ => Err(Error::Decode(format!("a payment cannot be {word:?}").into())),
    }
}
