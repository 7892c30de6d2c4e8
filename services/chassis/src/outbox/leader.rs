//! One relay a database: two would let a key's events overtake each other.

use std::{
    fs::{File, OpenOptions, TryLockError},
    hash::{DefaultHasher, Hash, Hasher},
    str::FromStr,
    time::Duration,
};

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::time::sleep;

use crate::database::{Database, Error};

/// How often a relay in waiting tries to take over.
const TRY: Duration = Duration::from_millis(500);
/// The channel on which the others tell the leading relay that they left something.
const CHANNEL: &str = "outbox";

/// What a relay holds while it leads.
pub(super) enum Lead {
    /// A lock on a file beside the database; the operating system takes it back when the process ends.
    File(#[expect(dead_code, reason = "held, not read")] File),
    /// A lock of a session; PostgreSQL takes it back when the connection ends.
    Session(Box<PgListener>),
}

/// What a relay that leads is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Another replica left something in the outbox.
    Published,
    /// Somebody else may lead now.
    Lost,
}

impl Lead {
    /// Waits until this relay leads. While it waits, it tells the leading one of what this process commits.
    pub(super) async fn take(database: &Database, service: &str) -> Result<Self, Error> {
        if database.is_postgres() { session(database, service).await } else { file(database).await }
    }

    /// What comes next; never returns for a file.
    pub(super) async fn news(&mut self) -> News {
        match self {
            Self::File(_) => std::future::pending().await,
            Self::Session(listener) => match listener.try_recv().await {
                Ok(Some(_)) => News::Published,
                Ok(None) | Err(_) => News::Lost,
            },
        }
    }
}

async fn file(database: &Database) -> Result<Lead, Error> {
    let path = format!("{}.relay", database.path());
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lead::File(file)),
            Err(TryLockError::WouldBlock) => sleep(TRY).await,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

async fn session(database: &Database, service: &str) -> Result<Lead, Error> {
    let options = PgConnectOptions::from_str(database.url())?.disable_statement_logging();
    // Its own connection, never replaced: whoever leads must notice that the session ended.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(options)
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    let mut hasher = DefaultHasher::new();
    ("outbox", service).hash(&mut hasher);
    let key = hasher.finish().cast_signed();
    loop {
        let lock = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(key);
        if lock.fetch_one(&mut listener).await? {
            listener.listen(CHANNEL).await?;
            return Ok(Lead::Session(Box::new(listener)));
        }
        tokio::select! {
            () = sleep(TRY) => {}
            () = database.published().notified() => {
                sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(&mut listener).await?;
            }
        }
    }
}
