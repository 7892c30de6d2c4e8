//! The database of a service: SQLite in a file, or PostgreSQL, with the same statements on both.
//!
//! Statements keep to `BIGINT`, `TEXT`, `DOUBLE PRECISION` and `BLOB`/`BYTEA` with `$1` placeholders; a time is a `BIGINT` of
//! microseconds ([`micros`]). Each statement has a time limit. Each transaction and each read has a name from our source: it
//! names the span, and is the label in `db_client_operation_duration_seconds`.

mod config;
mod connect;
mod error;
mod keep;
mod migrations;
mod operation;
mod postgres;
mod sqlite;
mod statement;
#[cfg(test)]
mod tests;
mod transaction;
mod value;

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sqlx::{PgPool, SqlSafeStr};
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::{sleep, timeout},
};

use crate::{
    config::SecretUrl,
    metrics::{HistogramVec, IntGauge, IntGaugeVec, Registry},
    readiness::{Condition, Impact, Readiness},
};

pub use config::{Config, Synchronous};
pub use error::is_unique_violation;
pub use migrations::{Migrations, Step};
pub use sqlx::Error;
pub use statement::Statement;
pub use transaction::Tx;
pub use value::{Bound, Column, FromRow, Row};

use operation::Operation;

/// Longest pause between two probes of a database that does not answer.
const PROBE_CAP: Duration = Duration::from_secs(1);

crate::metrics! {
    /// What the database costs.
    struct Metrics in "" {
        /// Seconds that a transaction, from its begin to its commit, or a read took.
        db_client_operation_duration_seconds: HistogramVec["db_operation_name"],
        /// Connections to the database by state: idle, used. A SQLite file has two: one writes, one reads.
        db_client_connection_count: IntGaugeVec["db_client_connection_state"],
        /// Connections that there may be.
        db_client_connection_max: IntGauge,
        /// Whether the service's own database answers.
        mesh_database_up: IntGauge,
        /// SQLite: bytes of the database (data) and of its write-ahead log (log).
        mesh_database_file_bytes: IntGaugeVec["file"],
        /// SQLite: bytes that are free on a disk: that of the database.
        mesh_database_disk_free_bytes: IntGaugeVec["disk"],
    }
}

/// A service's own database; cheap to clone.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    url: SecretUrl,
    statement_timeout: Duration,
    consumers: Semaphore,
    durations: HistogramVec,
    up: AtomicBool,
    up_gauge: IntGauge,
    published: Notify,
    conditions: OnceLock<Conditions>,
    /// Whether the file is damaged. This is never reset, however much of the file can still be read.
    malformed: AtomicBool,
}

/// The conditions that show the state of the database, beside errors and metrics.
struct Conditions {
    /// Raised while the database does not answer; for good if its file is damaged.
    database: Condition,
    /// Raised while the disk is nearly full, so that there is no reserve.
    disk: Option<Condition>,
}

enum Backend {
    Sqlite(sqlite::File),
    Postgres(PgPool),
}

impl Backend {
    /// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/db/>
    fn system(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }

    /// How many consumers' transactions may run at once. SQLite allows one write at a time; with a server, some connections are
    /// kept free for requests.
    fn consumers(&self, config: &Config) -> usize {
        match self {
            Self::Sqlite(_) => 1,
            Self::Postgres(_) => (config.max_connections as usize * 2 / 3).max(1),
        }
    }

    /// Returns the numbers of idle and of used connections.
    fn connections(&self) -> (usize, usize) {
        match self {
            Self::Sqlite(file) => file.connections(),
            Self::Postgres(pool) => {
                // Both numbers may change between the two calls.
                let (all, idle) = (pool.size() as usize, pool.num_idle());
                (idle, all.saturating_sub(idle))
            }
        }
    }

    fn most_connections(&self) -> usize {
        match self {
            Self::Sqlite(_) => sqlite::CONNECTIONS,
            Self::Postgres(pool) => pool.options().get_max_connections() as usize,
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("system", &self.inner.backend.system())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Connects and runs the migrations. A server that does not answer is retried until it does.
    ///
    /// # Errors
    /// The configuration is invalid, or a migration failed.
    pub async fn connect(
        config: &Config,
        migrations: Migrations,
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        let database = Self::open(config, registry)?;
        connect::prepare(&database, migrations).await?;
        database.seen_up(true);
        Ok(database)
    }

    fn open(config: &Config, registry: &Registry) -> anyhow::Result<Self> {
        let metrics = Metrics::register(registry)?;
        let backend = connect::open(config)?;
        metrics.db_client_connection_max.set(backend.most_connections() as i64);
        let inner = Inner {
            consumers: Semaphore::new(backend.consumers(config)),
            backend,
            url: config.url.clone(),
            statement_timeout: config.statement_timeout,
            durations: metrics.db_client_operation_duration_seconds,
            up: AtomicBool::new(false),
            up_gauge: metrics.mesh_database_up,
            published: Notify::new(),
            conditions: OnceLock::new(),
            malformed: AtomicBool::new(false),
        };
        let database = Self { inner: Arc::new(inner) };
        database.show_connections(registry, metrics.db_client_connection_count);
        database.show_files(
            registry,
            metrics.mesh_database_file_bytes,
            metrics.mesh_database_disk_free_bytes,
        );
        Ok(database)
    }

    fn show_connections(&self, registry: &Registry, count: IntGaugeVec) {
        let inner = Arc::downgrade(&self.inner);
        registry.look(move || {
            let (idle, used) =
                inner.upgrade().map(|inner| inner.backend.connections()).unwrap_or_default();
            count.with_label_values(&["idle"]).set(idle as i64);
            count.with_label_values(&["used"]).set(used as i64);
        });
    }

    /// Begins a transaction. It is rolled back unless it is committed.
    ///
    /// # Errors
    /// There was no connection within the time limit, or the database does not answer.
    pub async fn begin(&self, operation: &'static str) -> Result<Tx, Error> {
        Tx::begin(self, operation).await
    }

    /// A statement that reads, outside of a transaction.
    pub fn query(&self, operation: &'static str, sql: impl SqlSafeStr) -> Statement<'_> {
        Statement::reading(self, operation, sql.into_sql_str())
    }

    /// Whether the database is PostgreSQL, for the few statements that differ.
    pub fn is_postgres(&self) -> bool {
        matches!(self.inner.backend, Backend::Postgres(_))
    }

    /// Whether the database answered the last request.
    pub fn is_up(&self) -> bool {
        self.inner.up.load(Ordering::Relaxed)
    }

    /// Closes all connections, when nothing needs them any more.
    pub async fn close(&self) {
        match &self.inner.backend {
            Backend::Sqlite(file) => file.close(),
            Backend::Postgres(pool) => pool.close().await,
        }
    }

    /// If the last request failed, waits until the database takes writes. Returns whether it had to wait.
    pub(crate) async fn until_up(&self) -> bool {
        if self.is_up() {
            return false;
        }
        let mut pause = Duration::from_millis(50);
        let mut waited = false;
        while let Err(error) = self.probe().await {
            if !waited {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the database does not answer, waiting for it"
                );
            }
            waited = true;
            sleep(pause).await;
            pause = (pause * 2).min(PROBE_CAP);
        }
        if waited {
            tracing::info!("the database answers again");
        }
        waited
    }

    async fn probe(&self) -> Result<(), Error> {
        let mut tx = self.begin("probe").await?;
        tx.query("update probe set at = $1 where id = 1").bind(now()).execute().await?;
        tx.commit().await
    }

    /// Waits for a place among the consumers' transactions. There are fewer places than connections, so that a backlog of events
    /// does not delay requests.
    pub(crate) async fn consumer_place(&self) -> SemaphorePermit<'_> {
        self.inner.consumers.acquire().await.expect("the semaphore is never closed")
    }

    pub(crate) fn url(&self) -> &str {
        self.inner.url.expose()
    }

    /// The path of the SQLite file.
    pub(crate) fn path(&self) -> &str {
        sqlite::path(self.inner.url.expose())
    }

    /// Notified after each commit that published events.
    pub(crate) fn published(&self) -> &Notify {
        &self.inner.published
    }

    /// Raises a condition while the database does not work. A SQLite file belongs to this process, so that its failure makes the
    /// process not ready; a server is shared by all replicas, so that its failure only degrades them.
    pub fn report_to(&self, readiness: &Readiness) {
        let conditions = match &self.inner.backend {
            Backend::Sqlite(_) => Conditions {
                database: readiness.condition("database", Impact::NotReady),
                disk: Some(readiness.condition("disk", Impact::Degraded)),
            },
            Backend::Postgres(_) => Conditions {
                database: readiness.condition("database", Impact::Degraded),
                disk: None,
            },
        };
        // A second call would register the same conditions.
        self.inner.conditions.set(conditions).ok();
    }

    fn seen_up(&self, up: bool) {
        if self.inner.up.swap(up, Ordering::Relaxed) != up || up {
            self.inner.up_gauge.set(up.into());
        }
        if let (true, Some(conditions)) = (up, self.inner.conditions.get())
            && !self.inner.malformed.load(Ordering::Relaxed)
        {
            conditions.database.clear();
        }
    }

    fn seen_down(&self, error: &Error) {
        self.seen_up(false);
        self.inner.malformed.fetch_or(error::is_malformed(error), Ordering::Relaxed);
        let waiting = matches!(error, Error::PoolTimedOut) && !self.is_postgres();
        // Transactions that wait too long for the one writer are no fault of the file.
        if let Some(conditions) = self.inner.conditions.get().filter(|_| !waiting) {
            let full = if error::is_full(error) { "the disk is full: " } else { "" };
            conditions.database.raise(format!("{full}{error}"));
        }
    }

    /// Updates the state of the database if an error is about the database as a whole.
    fn judged<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result
            && error::is_outage(error)
        {
            self.seen_down(error);
        }
        result
    }

    async fn limited<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let limit = self.inner.statement_timeout;
        let result = timeout(limit, work).await.unwrap_or_else(|_| {
            let late = std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no answer within {limit:?}"),
            );
            Err(Error::Io(late))
        });
        self.judged(result)
    }

    fn sqlite_options(&self, once: bool) -> sqlite::Options {
        sqlite::Options { limit: self.inner.statement_timeout, once }
    }

    fn operation(&self, name: &'static str) -> Operation {
        Operation::start(name, self.inner.backend.system(), self.inner.durations.with(&[name]))
    }
}

/// Returns a time as a column holds it: microseconds since the Unix epoch.
pub fn micros(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Returns the time that a column holds.
pub fn time(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros.max(0).unsigned_abs())
}

/// Returns the time this long ago, as a column holds it.
pub(crate) fn before(age: Duration) -> i64 {
    now().saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
}

/// Returns the current time, as a column holds it.
pub fn now() -> i64 {
    micros(SystemTime::now())
}
