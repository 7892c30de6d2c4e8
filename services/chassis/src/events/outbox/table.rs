//! The relay's statements.

use opentelemetry::{Context, global, propagation::Extractor};
use sqlx::AssertSqlSafe;

use crate::{
    database::{self, Column, Database, Error, FromRow, now},
    text::printable,
};

/// Most rows of one round. The relay waits for the acknowledgements of all of them together.
pub(super) const ROUND: i64 = 500;

/// One row of the outbox: an event to be sent.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) event_id: String,
    pub(super) topic: String,
    pub(super) key: String,
    pub(super) r#type: String,
    pub(super) payload: Vec<u8>,
    pub(super) traceparent: Option<String>,
    pub(super) tracestate: Option<String>,
    pub(super) baggage: Option<String>,
    pub(super) created_at: i64,
    /// Whether it was sent to an earlier log before.
    pub(super) resent: bool,
}

impl FromRow for Row {
    fn from_row(row: &database::Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            seq: Column::read(row, 0)?,
            event_id: Column::read(row, 1)?,
            topic: Column::read(row, 2)?,
            key: Column::read(row, 3)?,
            r#type: Column::read(row, 4)?,
            payload: Column::read(row, 5)?,
            traceparent: Column::read(row, 6)?,
            tracestate: Column::read(row, 7)?,
            baggage: Column::read(row, 8)?,
            created_at: Column::read(row, 9)?,
            resent: false,
        })
    }
}

/// A row as read from the table.
pub(super) enum Found {
    Row(Box<Row>),
    /// The row cannot be read, or has values that no client could send.
    Unreadable {
        seq: i64,
        key: Option<String>,
        why: String,
    },
}

impl FromRow for Found {
    /// A row that cannot be read is returned as such, so that it does not hide the others.
    fn from_row(row: &database::Row<'_>) -> Result<Self, Error> {
        let seq = Column::read(row, 0)?;
        let read = Row::from_row(row).map_err(|error| error.to_string());
        Ok(match read.and_then(Row::checked) {
            Ok(row) => Self::Row(Box::new(row)),
            Err(why) => Self::Unreadable { seq, key: Column::read(row, 3).ok(), why },
        })
    }
}

impl Found {
    pub(super) fn seq(&self) -> i64 {
        match self {
            Self::Row(row) => row.seq,
            Self::Unreadable { seq, .. } => *seq,
        }
    }
}

/// The last second of the year 9999, in microseconds: the latest time that RFC 3339 can write in a header.
const LAST: i64 = 253_402_300_799_000_000;
/// The longest topic name that Kafka allows.
const TOPIC_MAX: usize = 249;

impl Row {
    /// Rejects values on which a client would fail, instead of refusing them with an error.
    fn checked(self) -> Result<Self, String> {
        let legal = |one: char| one.is_ascii_alphanumeric() || "._-".contains(one);
        let topic = &self.topic;
        let dots = [".", ".."].contains(&topic.as_str());
        if topic.is_empty() || dots || topic.len() > TOPIC_MAX || !topic.chars().all(legal) {
            return Err(format!("{:?} is no topic's name", printable(topic, 100)));
        }
        if !(0..=LAST).contains(&self.created_at) {
            return Err(format!("created_at {} is no time", self.created_at));
        }
        Ok(self)
    }

    /// Returns the trace context that the event carries on; empty if it has none.
    pub(super) fn context(&self) -> Context {
        global::get_text_map_propagator(|propagator| {
            propagator.extract_with_context(&Context::new(), self)
        })
    }
}

impl Extractor for Row {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.traceparent.as_deref(),
            "tracestate" => self.tracestate.as_deref(),
            "baggage" => self.baggage.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate", "baggage"]
    }
}

const COLUMNS: &str =
    "seq, event_id, topic, key, type, payload, traceparent, tracestate, baggage, created_at";

/// Reads rows that were never sent and come after this one, oldest first, without those of these topics.
pub(super) async fn pending(
    database: &Database,
    after: i64,
    except: &[&str],
) -> Result<Vec<Found>, Error> {
    let sql = format!(
        "select {COLUMNS} from outbox where sent_at is null and seq > $1{} order by seq limit $2",
        none_of(except, 3)
    );
    let query = database.query("outbox: pending", AssertSqlSafe(sql)).bind(after).bind(ROUND);
    except.iter().fold(query, |query, topic| query.bind(*topic)).all().await
}

/// SQL that leaves out these topics. Their placeholders are numbered from `first` on.
fn none_of(topics: &[&str], first: usize) -> String {
    if topics.is_empty() {
        return String::new();
    }
    let numbers: Vec<_> =
        (first..first + topics.len()).map(|number| format!("${number}")).collect();
    format!(" and topic not in ({})", numbers.join(", "))
}

/// Reads rows that were sent to another log: after one row and up to another, oldest first, without those of these topics.
pub(super) async fn sent_to_other_log(
    database: &Database,
    log: &str,
    after: i64,
    until: i64,
    most: i64,
    except: &[&str],
) -> Result<Vec<Found>, Error> {
    let sql = format!(
        "select {COLUMNS} from outbox
         where seq > $1 and seq <= $2 and sent_log <> $3{} order by seq limit $4",
        none_of(except, 5)
    );
    let query = database
        .query("outbox: sent elsewhere", AssertSqlSafe(sql))
        .bind(after)
        .bind(until)
        .bind(log)
        .bind(most);
    let mut found = except.iter().fold(query, |query, topic| query.bind(*topic)).all().await?;
    for one in &mut found {
        if let Found::Row(row) = one {
            row.resent = true;
        }
    }
    Ok(found)
}

/// A row's number, and its key if that can be read.
pub(super) struct Key(pub(super) i64, pub(super) Option<String>);

impl FromRow for Key {
    fn from_row(row: &database::Row<'_>) -> Result<Self, Error> {
        Ok(Self(Column::read(row, 0)?, Column::read(row, 1).ok()))
    }
}

/// Reads the keys of rows that were sent to another log and come after this row.
pub(super) async fn keys_sent_to_other_log(
    database: &Database,
    log: &str,
    after: i64,
) -> Result<Vec<Key>, Error> {
    const SQL: &str =
        "select seq, key from outbox where seq > $1 and sent_log <> $2 order by seq limit 5000";
    database.query("outbox: keys sent elsewhere", SQL).bind(after).bind(log).all().await
}

/// Returns how many rows were never sent, and when the oldest of them was written.
pub(super) async fn count(database: &Database) -> Result<(i64, Option<i64>), Error> {
    const SQL: &str =
        "select count(*), min(cast(created_at as bigint)) from outbox where sent_at is null";
    database.query("outbox: count", SQL).one().await
}

/// Returns whether the outbox or the inbox has a row; otherwise the relay has nothing to send or to purge.
pub(super) async fn is_used(database: &Database) -> Result<bool, Error> {
    let outbox = database
        .query("outbox: any", "select seq from outbox limit 1")
        .optional::<(i64,)>()
        .await?;
    let inbox =
        database.query("inbox: any", "select at from inbox limit 1").optional::<(i64,)>().await?;
    Ok(outbox.is_some() || inbox.is_some())
}

/// Marks exactly these rows as sent, not a range: another transaction may since have committed a row between two of them.
pub(super) async fn mark(database: &Database, log: &str, seqs: &[i64]) -> Result<(), Error> {
    if seqs.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = seqs.iter().map(i64::to_string).collect();
    let sql =
        format!("update outbox set sent_log = $1, sent_at = $2 where seq in ({})", list.join(","));
    let mut tx = database.begin("outbox: mark").await?;
    tx.query(AssertSqlSafe(sql)).once().bind(log).bind(now()).execute().await?;
    tx.commit().await
}

/// Notes which log is sent to from now on. Returns whether everything from earlier logs has been sent to it.
pub(super) async fn enter_log(database: &Database, log: &str) -> Result<bool, Error> {
    let mut tx = database.begin("outbox: log").await?;
    let row: Option<(String, i64)> =
        tx.query("select log, caught_up from outbox_log where id = 1").optional().await?;
    if let Some((_, caught_up)) = row.filter(|(known, _)| known == log) {
        return Ok(caught_up != 0);
    }
    tx.query(
        "insert into outbox_log (id, log, since, caught_up) values (1, $1, $2, 0)
         on conflict (id) do update set log = $1, since = $2, caught_up = 0",
    )
    .bind(log)
    .bind(now())
    .execute()
    .await?;
    tx.commit().await?;
    Ok(false)
}

/// Notes that everything from earlier logs has been sent to this log.
pub(super) async fn caught_up(database: &Database, log: &str) -> Result<(), Error> {
    let mut tx = database.begin("outbox: caught up").await?;
    tx.query("update outbox_log set caught_up = 1 where id = 1 and log = $1")
        .bind(log)
        .execute()
        .await?;
    tx.commit().await
}

/// Deletes rows that were sent to this log before a time. Returns how many: at most 1000, since other writers wait meanwhile.
pub(super) async fn purge(database: &Database, log: &str, before: i64) -> Result<u64, Error> {
    let mut tx = database.begin("outbox: purge").await?;
    let rows = tx
        .query(
            "delete from outbox where seq in
             (select seq from outbox where sent_at < $1 and sent_log = $2 order by sent_at, seq limit 1000)",
        )
        .bind(before)
        .bind(log)
        .execute()
        .await?;
    tx.commit().await?;
    Ok(rows)
}
