//! The table of payments.

use chassis::{
    database::{Database, Error, Tx},
    telemetry,
};
use proto::values::{CustomerId, Money, OrderId, Timestamp};

use crate::domain::{Payment, State};

/// Payments per page: few enough to fit in memory, many enough that the rows cost more than the query.
const PAGE: i64 = 500;

/// The payments.
pub(crate) struct Store {
    database: Database,
}

/// A payment whose charge is to be voided.
#[derive(Clone, Debug)]
pub(crate) struct UnknownCharge {
    pub(crate) payment: Payment,
    pub(crate) key: String,
    pub(crate) traceparent: String,
    /// The number of attempts to void it.
    pub(crate) attempts: i64,
    /// When the next attempt is due.
    resolve_at: i64,
}

chassis::row! {
    struct StateRow {
        state: String,
        charge_id: Option<String>,
        decline_reason: Option<String>,
        charge_key: Option<String>,
    }
}

chassis::row! {
    struct PaymentRow {
        order_id: String,
        customer: String,
        currency: String,
        amount_minor: i64,
        state: String,
        charge_id: Option<String>,
        decline_reason: Option<String>,
        charge_key: Option<String>,
    }
}

chassis::row! {
    struct UnknownRow {
        order_id: String,
        customer: String,
        currency: String,
        amount_minor: i64,
        charge_key: String,
        traceparent: Option<String>,
        resolve_attempts: i64,
        resolve_at: i64,
    }
}

macro_rules! select_state {
    () => {
        "select state, charge_id, decline_reason, charge_key from payments where order_id = $1"
    };
}

impl Store {
    pub(crate) fn open(database: Database) -> Self {
        Self { database }
    }

    pub(crate) async fn begin(&self, operation: &'static str) -> Result<Tx, Error> {
        self.database.begin(operation).await
    }

    /// The state, read outside of a transaction: good for a query, not for a decision.
    pub(crate) async fn state(&self, order: &OrderId) -> Result<Option<State>, Error> {
        let query = self.database.query("get payment", select_state!()).bind(order.as_str());
        query.optional().await?.map(StateRow::state).transpose()
    }

    pub(crate) async fn state_in(
        &self,
        tx: &mut Tx,
        order: &OrderId,
    ) -> Result<Option<State>, Error> {
        let query = tx.query(select_state!()).bind(order.as_str());
        query.optional().await?.map(StateRow::state).transpose()
    }

    /// Writes a new payment; `false` if the order has a payment already.
    pub(crate) async fn insert(&self, tx: &mut Tx, payment: &Payment) -> Result<bool, Error> {
        let Payment { order, customer, amount, state } = payment;
        let (currency, minor) = amount
            .as_ref()
            .map_or(("", 0), |amount| (amount.currency().as_str(), amount.amount_minor()));
        let Columns { charge, reason, key } = Columns::of(state);
        let sql = "insert into payments
            (order_id, customer, currency, amount_minor, state, charge_id, decline_reason, charge_key, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) on conflict (order_id) do nothing";
        let query = tx.query(sql).bind(order.as_str()).bind(customer.as_str());
        let query = query.bind(currency).bind(minor).bind(state.as_str());
        let query = query.bind(charge).bind(reason).bind(key).bind(Timestamp::now().as_micros());
        Ok(query.execute().await? > 0)
    }

    /// Writes the outcome of a charge, as part of the current trace; `false` if the payment is no longer `asking`.
    pub(crate) async fn settle(
        &self,
        tx: &mut Tx,
        payment: &Payment,
        resolve_at: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let Columns { charge, reason, .. } = Columns::of(&payment.state);
        let traceparent = resolve_at.and_then(|_| telemetry::traceparent());
        let sql = "update payments set state = $1, charge_id = $2, decline_reason = $3, resolve_at = $4, traceparent = $5,
            updated_at = $6 where order_id = $7 and state = 'asking'";
        let query = tx.query(sql).bind(payment.state.as_str()).bind(charge).bind(reason);
        let query = query.bind(resolve_at.map(Timestamp::as_micros)).bind(traceparent.as_deref());
        Ok(query.bind(Timestamp::now().as_micros()).bind(payment.order.as_str()).execute().await?
            > 0)
    }

    /// Marks a payment as refunded; `false` if it is no longer authorized.
    pub(crate) async fn refund(&self, tx: &mut Tx, order: &OrderId) -> Result<bool, Error> {
        let sql = "update payments set state = 'refunded', updated_at = $2 where order_id = $1 and state = 'authorized'";
        Ok(tx.query(sql).bind(order.as_str()).bind(Timestamp::now().as_micros()).execute().await?
            > 0)
    }

    /// Charges with an unknown outcome that are due, the longest overdue first.
    pub(crate) async fn due(&self, now: Timestamp, most: i64) -> Result<Vec<UnknownCharge>, Error> {
        let sql = "select order_id, customer, currency, amount_minor, charge_key, traceparent, resolve_attempts, resolve_at
            from payments where resolve_at <= $1 and state = 'unknown' order by resolve_at limit $2";
        let query = self.database.query("find unknown payments", sql);
        let rows = query.bind(now.as_micros()).bind(most).all::<UnknownRow>().await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Counts an attempt and sets the time of the next; `false` if another replica claimed this payment.
    pub(crate) async fn claim(
        &self,
        unknown: &UnknownCharge,
        next: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.database.begin("claim unknown payment").await?;
        let sql = "update payments set resolve_attempts = resolve_attempts + 1, resolve_at = $1
            where order_id = $2 and state = 'unknown' and resolve_at = $3";
        let query = tx.query(sql).bind(next.as_micros()).bind(unknown.payment.order.as_str());
        let claimed = query.bind(unknown.resolve_at).execute().await? > 0;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Writes the outcome of an unknown payment; `false` if it is no longer unknown.
    pub(crate) async fn resolve(&self, tx: &mut Tx, payment: &Payment) -> Result<bool, Error> {
        let Columns { charge, .. } = Columns::of(&payment.state);
        let sql =
            "update payments set state = $1, charge_id = $2, resolve_at = null, updated_at = $3
            where order_id = $4 and state = 'unknown'";
        let query = tx
            .query(sql)
            .bind(payment.state.as_str())
            .bind(charge)
            .bind(Timestamp::now().as_micros());
        Ok(query.bind(payment.order.as_str()).execute().await? > 0)
    }

    /// The number of unknown payments, and of those with at least `attempts` attempts.
    pub(crate) async fn count_unknown(&self, attempts: i64) -> Result<(i64, i64), Error> {
        let sql =
            "select count(*), coalesce(sum(case when resolve_attempts >= $1 then 1 else 0 end), 0)
            from payments where resolve_at is not null";
        self.database.query("count unknown payments", sql).bind(attempts).one().await
    }

    /// The page of payments after that of `order`, ordered by the orders' ids.
    pub(crate) async fn after(&self, order: Option<OrderId>) -> Result<Vec<Payment>, Error> {
        let sql =
            "select order_id, customer, currency, amount_minor, state, charge_id, decline_reason, charge_key
            from payments where order_id > $1 and state <> 'void' order by order_id limit $2";
        let after = order.as_ref().map_or("", OrderId::as_str);
        let rows = self.database.query("list payments", sql).bind(after).bind(PAGE).all().await?;
        rows.into_iter().map(PaymentRow::payment).collect()
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

impl StateRow {
    fn state(self) -> Result<State, Error> {
        let Self { state, charge_id, decline_reason, charge_key } = self;
        match (&*state, charge_id, decline_reason, charge_key) {
            ("authorized", Some(charge), ..) => Ok(State::Authorized { charge }),
            ("refunded", Some(charge), ..) => Ok(State::Refunded { charge }),
            ("declined", _, Some(reason), _) => Ok(State::Declined { reason }),
            ("asking", .., Some(key)) => Ok(State::Asking { key }),
            ("unknown", .., Some(key)) => Ok(State::Unknown { key }),
            ("failed", ..) => Ok(State::Failed),
            ("void", ..) => Ok(State::Void),
            _ => Err(Error::Decode(format!("a payment cannot be {state:?}").into())),
        }
    }
}

impl PaymentRow {
    fn payment(self) -> Result<Payment, Error> {
        let Self { state, charge_id, decline_reason, charge_key, .. } = self;
        Ok(Payment {
            order: OrderId::stored(self.order_id),
            customer: CustomerId::stored(self.customer),
            amount: Some(Money::stored(self.currency, self.amount_minor)),
            state: StateRow { state, charge_id, decline_reason, charge_key }.state()?,
        })
    }
}

impl From<UnknownRow> for UnknownCharge {
    fn from(row: UnknownRow) -> Self {
        Self {
            payment: Payment {
                order: OrderId::stored(row.order_id),
                customer: CustomerId::stored(row.customer),
                amount: Some(Money::stored(row.currency, row.amount_minor)),
                state: State::Unknown { key: row.charge_key.clone() },
            },
            key: row.charge_key,
            traceparent: row.traceparent.unwrap_or_default(),
            attempts: row.resolve_attempts,
            resolve_at: row.resolve_at,
        }
    }
}
