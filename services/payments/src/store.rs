//! The table of payments.

use chassis::{
    database::{Database, Error, Tx, now},
    telemetry,
};

use crate::domain::{Money, Payment, State};

/// Payments per page: few enough to fit in memory, many enough that the rows cost more than the query.
const PAGE: i64 = 500;

/// The payments.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
}

/// A payment whose charge is to be voided, with the number of attempts and the time of the next.
#[derive(Clone, Debug)]
pub(crate) struct Unknown {
    pub(crate) payment: Payment,
    pub(crate) key: String,
    pub(crate) traceparent: String,
    pub(crate) attempts: i64,
    resolve_at: i64,
}

type StateRow = (String, Option<String>, Option<String>, Option<String>);
type Row = (String, String, String, i64, String, Option<String>, Option<String>, Option<String>);
type UnknownRow = (String, String, String, i64, String, Option<String>, i64, i64);

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// The state, read outside of a transaction: good for a query, not for a decision.
    pub(crate) async fn peek(&self, order: &str) -> Result<Option<State>, Error> {
        let sql =
            "select state, charge_id, decline_reason, charge_key from payments where order_id = $1";
        self.database.query("get payment", sql).bind(order).optional().await?.map(state).transpose()
    }

    pub(crate) async fn state(&self, tx: &mut Tx, order: &str) -> Result<Option<State>, Error> {
        let sql =
            "select state, charge_id, decline_reason, charge_key from payments where order_id = $1";
        tx.query(sql).bind(order).optional().await?.map(state).transpose()
    }

    pub(crate) async fn begin(&self, operation: &'static str) -> Result<Tx, Error> {
        self.database.begin(operation).await
    }

    /// Writes a new payment; `false` if the order has a payment already.
    pub(crate) async fn insert(&self, tx: &mut Tx, payment: &Payment) -> Result<bool, Error> {
        let Payment { order, customer, amount, state } = payment;
        let Columns { charge, reason, key } = Columns::of(state);
        let sql = "insert into payments
            (order_id, customer, currency, amount_minor, state, charge_id, decline_reason, charge_key, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) on conflict (order_id) do nothing";
        let query = tx.query(sql).bind(&**order).bind(&**customer);
        let query = query.bind(&*amount.currency).bind(amount.minor).bind(state.word());
        let query = query.bind(charge).bind(reason).bind(key).bind(now());
        Ok(query.execute().await? > 0)
    }

    /// Writes the outcome of a charge, as part of the current trace; `false` if the payment is no longer `asking`.
    pub(crate) async fn settle(
        &self,
        tx: &mut Tx,
        payment: &Payment,
        resolve_at: Option<i64>,
    ) -> Result<bool, Error> {
        let Columns { charge, reason, .. } = Columns::of(&payment.state);
        let traceparent = resolve_at.and_then(|_| telemetry::traceparent());
        let sql = "update payments set state = $1, charge_id = $2, decline_reason = $3, resolve_at = $4, traceparent = $5,
            updated_at = $6 where order_id = $7 and state = 'asking'";
        let query = tx.query(sql).bind(payment.state.word()).bind(charge).bind(reason);
        let query = query.bind(resolve_at).bind(traceparent.as_deref()).bind(now());
        Ok(query.bind(&*payment.order).execute().await? > 0)
    }

    /// Unknown payments that are due, the longest overdue first.
    pub(crate) async fn due(&self, now: i64, most: i64) -> Result<Vec<Unknown>, Error> {
        let sql = "select order_id, customer, currency, amount_minor, charge_key, traceparent, resolve_attempts, resolve_at
            from payments where resolve_at <= $1 and state = 'unknown' order by resolve_at limit $2";
        let query = self.database.query("find unknown payments", sql).bind(now).bind(most);
        let rows = query.all::<UnknownRow>().await?;
        let unknown =
            |(order, customer, currency, minor, key, trace, attempts, resolve_at): UnknownRow| {
                let state = State::Unknown { key: key.clone() };
                let payment = Payment { order, customer, amount: Money { currency, minor }, state };
                Unknown {
                    payment,
                    key,
                    traceparent: trace.unwrap_or_default(),
                    attempts,
                    resolve_at,
                }
            };
        Ok(rows.into_iter().map(unknown).collect())
    }

    /// Counts an attempt and sets the time of the next; `false` if another replica claimed this payment.
    pub(crate) async fn claim(&self, unknown: &Unknown, next: i64) -> Result<bool, Error> {
        let mut tx = self.database.begin("claim unknown payment").await?;
        let sql = "update payments set resolve_attempts = resolve_attempts + 1, resolve_at = $1
            where order_id = $2 and state = 'unknown' and resolve_at = $3";
        let query = tx.query(sql).bind(next).bind(&*unknown.payment.order).bind(unknown.resolve_at);
        let claimed = query.execute().await? > 0;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Writes the outcome of an unknown payment; `false` if it is no longer unknown.
    pub(crate) async fn resolve(&self, tx: &mut Tx, payment: &Payment) -> Result<bool, Error> {
        let charge = match &payment.state {
            State::Refunded { charge } => Some(&**charge),
            _ => None,
        };
        let sql =
            "update payments set state = $1, charge_id = $2, resolve_at = null, updated_at = $3
            where order_id = $4 and state = 'unknown'";
        let query = tx.query(sql).bind(payment.state.word()).bind(charge).bind(now());
        Ok(query.bind(&*payment.order).execute().await? > 0)
    }

    /// The number of unknown payments, and of those with at least `attempts` attempts.
    pub(crate) async fn count_unknown(&self, attempts: i64) -> Result<(i64, i64), Error> {
        let sql =
            "select count(*), coalesce(sum(case when resolve_attempts >= $1 then 1 else 0 end), 0)
            from payments where resolve_at is not null";
        self.database.query("count unknown payments", sql).bind(attempts).one().await
    }

    /// Marks a payment as refunded; `false` if it is no longer authorized.
    pub(crate) async fn refund(&self, tx: &mut Tx, order: &str) -> Result<bool, Error> {
        let sql = "update payments set state = 'refunded', updated_at = $2 where order_id = $1 and state = 'authorized'";
        Ok(tx.query(sql).bind(order).bind(now()).execute().await? > 0)
    }

    /// A page of the ledger after `order`, ordered by the orders' ids.
    pub(crate) async fn page(&self, order: &str) -> Result<Vec<Payment>, Error> {
        let sql =
            "select order_id, customer, currency, amount_minor, state, charge_id, decline_reason, charge_key
            from payments where order_id > $1 and state <> 'void' order by order_id limit $2";
        let rows =
            self.database.query("list payments", sql).bind(order).bind(PAGE).all::<Row>().await?;
        rows.into_iter().map(payment).collect()
    }
}

/// The columns of a state besides its word.
struct Columns<'a> {
    charge: Option<&'a str>,
    reason: Option<&'a str>,
    key: Option<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(state: &'a State) -> Self {
        let nothing = Self { charge: None, reason: None, key: None };
        match state {
            State::Authorized { charge } | State::Refunded { charge } => {
                Self { charge: Some(charge), ..nothing }
            }
            State::Declined { reason } => Self { reason: Some(reason), ..nothing },
            State::Asking { key } | State::Unknown { key } => Self { key: Some(key), ..nothing },
            State::Failed | State::Void => nothing,
        }
    }
}

fn payment(
    (order, customer, currency, minor, word, charge, reason, key): Row,
) -> Result<Payment, Error> {
    let state = state((word, charge, reason, key))?;
    Ok(Payment { order, customer, amount: Money { currency, minor }, state })
}

fn state((word, charge, reason, key): StateRow) -> Result<State, Error> {
    match (&*word, charge, reason, key) {
        ("authorized", Some(charge), ..) => Ok(State::Authorized { charge }),
        ("refunded", Some(charge), ..) => Ok(State::Refunded { charge }),
        ("declined", _, Some(reason), _) => Ok(State::Declined { reason }),
        ("asking", .., Some(key)) => Ok(State::Asking { key }),
        ("unknown", .., Some(key)) => Ok(State::Unknown { key }),
        ("failed", ..) => Ok(State::Failed),
        ("void", ..) => Ok(State::Void),
        _ => Err(Error::Decode(format!("a payment cannot be {word:?}").into())),
    }
}
