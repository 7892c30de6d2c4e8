//! The handle that a service has to its database: the state that its clones share.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{
    Error,
    backend::Backend,
    config::{Config, sqlite_path},
    error,
    operation::Operation,
    sqlite,
};
use crate::{
    config::SecretUrl,
    metrics::{HistogramVec, IntGauge, IntGaugeVec, Registry},
    readiness::{Condition, Impact, Readiness},
};

crate::metrics! {
    /// What the database costs.
    struct Metrics in "" {
        /// Seconds that a read took, or a transaction from its begin to its commit.
        db_client_operation_duration_seconds: HistogramVec["db_operation_name"],
        /// Connections to the database by state: idle, used. A SQLite file has two: one writes, one reads.
        db_client_connection_count: IntGaugeVec["db_client_connection_state"],
        /// Maximum number of connections to the database.
        db_client_connection_max: IntGauge,
        /// Whether the service's own database answers.
        mesh_database_up: IntGauge,
        /// SQLite: bytes of the database (data) and of its write-ahead log (log).
        mesh_database_file_bytes: IntGaugeVec["file"],
        /// SQLite: free bytes on the disk of the database.
        mesh_database_disk_free_bytes: IntGaugeVec["disk"],
    }
}

/// A service's own database; cheap to clone.
///
/// ```
/// use chassis::{
///     database::{Config, Database, Migrations, Step},
///     metrics::Registry,
/// };
///
/// // `chassis::migrations!` reads the steps from files.
/// const TABLES: Migrations = Migrations {
///     steps: &[Step {
///         name: "0001_cups",
///         sqlite: "create table cups (id text primary key, size bigint not null)",
///         postgres: "create table cups (id text primary key, size bigint not null)",
///     }],
///     table: "migrations",
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// let folder = tempfile::tempdir()?;
/// let url = format!("sqlite://{}/tea.db", folder.path().display());
/// let config = Config { url: url.into(), ..Config::default() };
/// // In a service: `app.database(&config.database, TABLES)`.
/// let database = Database::connect(&config, &[TABLES], &Registry::new()).await?;
///
/// let mut tx = database.begin("fill a cup").await?;
/// tx.query("insert into cups (id, size) values ($1, $2)").bind("mine").bind(250).execute().await?;
/// tx.commit().await?;
///
/// let sizes: Vec<(i64,)> = database.query("list cups", "select size from cups").all().await?;
/// assert_eq!(sizes, [(250,)]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Database {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) backend: Backend,
    url: SecretUrl,
    statement_timeout: Duration,
    consumers: Semaphore,
    durations: HistogramVec,
    up: AtomicBool,
    up_gauge: IntGauge,
    published: Notify,
    pub(super) conditions: OnceLock<Conditions>,
    /// Whether the file is damaged. This is never reset, however much of the file can still be read.
    malformed: AtomicBool,
}

/// The conditions that show the state of the database, beside errors and metrics.
pub(super) struct Conditions {
    /// Raised while the database does not answer; for good if its file is damaged.
    database: Condition,
    /// Raised while the disk is nearly full, so that there is no reserve.
    pub(super) disk: Option<Condition>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("system", &self.inner.backend.system())
            .finish_non_exhaustive()
    }
}

impl Database {
    pub(super) fn open(config: &Config, registry: &Registry) -> anyhow::Result<Self> {
        let metrics = Metrics::register(registry)?;
        let backend = Backend::open(config)?;
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
        registry.on_scrape(move || {
            let (idle, used) =
                inner.upgrade().map(|inner| inner.backend.connections()).unwrap_or_default();
            count.with_label_values(&["idle"]).set(idle as i64);
            count.with_label_values(&["used"]).set(used as i64);
        });
    }

    fn show_files(&self, registry: &Registry, files: IntGaugeVec, free: IntGaugeVec) {
        let inner = Arc::downgrade(&self.inner);
        registry.on_scrape(move || {
            let Some(inner) = inner.upgrade() else { return };
            let Backend::Sqlite(file) = &inner.backend else { return };
            let shown = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            files.with_label_values(&["data"]).set(shown(file.disk().file_bytes()));
            files.with_label_values(&["log"]).set(shown(file.disk().log_bytes()));
            if let Ok(bytes) = file.disk().free_bytes() {
                free.with_label_values(&["database"]).set(shown(bytes));
            }
        });
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

    /// Waits for a place among the consumers' transactions. There are fewer places than connections, so that a backlog of events
    /// does not delay requests.
    pub(crate) async fn consumer_slot(&self) -> SemaphorePermit<'_> {
        self.inner.consumers.acquire().await.expect("the semaphore is never closed")
    }

    pub(crate) fn url(&self) -> &str {
        self.inner.url.expose()
    }

    /// The path of the SQLite file.
    pub(crate) fn path(&self) -> &str {
        sqlite_path(self.inner.url.expose())
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

    pub(super) fn seen_up(&self, up: bool) {
        if self.inner.up.swap(up, Ordering::Relaxed) != up || up {
            self.inner.up_gauge.set(up.into());
        }
        if let (true, Some(conditions)) = (up, self.inner.conditions.get())
            && !self.inner.malformed.load(Ordering::Relaxed)
        {
            conditions.database.clear();
        }
    }

    pub(super) fn seen_down(&self, error: &Error) {
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
    pub(super) fn record_outage<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result
            && error::is_outage(error)
        {
            self.seen_down(error);
        }
        result
    }

    pub(super) async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let limit = self.inner.statement_timeout;
        let result = timeout(limit, work).await.unwrap_or_else(|_| {
            let late = std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no answer within {limit:?}"),
            );
            Err(Error::Io(late))
        });
        self.record_outage(result)
    }

    pub(super) fn sqlite_options(&self, once: bool) -> sqlite::Options {
        sqlite::Options { limit: self.inner.statement_timeout, once }
    }

    pub(super) fn operation(&self, name: &'static str) -> Operation {
        Operation::start(name, self.inner.backend.system(), self.inner.durations.with(&[name]))
    }
}
