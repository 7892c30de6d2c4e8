//! SQLite: a library, not a server. A statement takes some ten microseconds, which is less than it takes to hand it to another
//! thread and to be woken by its answer; so it runs where it is asked for. What may take long runs elsewhere: the checkpoint,
//! which waits for the disk.

use std::{
    borrow::Cow,
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use rusqlite::{Connection, OpenFlags, ffi};
use sqlx::{
    Error,
    error::{DatabaseError, ErrorKind},
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

use super::{
    Config, Migrations,
    value::{Bound, FromRow, Row},
};

/// Statements that are kept prepared, a connection: more than a service has.
const PREPARED: usize = 64;
/// How long a statement waits in its thread for a lock that somebody holds for a moment.
const BUSY_MS: u32 = 20;
/// How long to let others run before the lock to write is tried again.
const AGAIN: Duration = Duration::from_millis(5);
/// Commits between two checkpoints: the log that they leave is a few MiB.
const COMMITS: u32 = 500;
/// Pages of the log beyond which writers wait for a checkpoint, so that it can begin anew: 16 MiB.
const LONG_LOG: i64 = 4096;

/// The connections that statements run on; the third only tidies up.
pub(super) const CONNECTIONS: usize = 2;

/// One file: a connection that writes, one that reads, one that moves the log into the file.
pub(super) struct File {
    path: PathBuf,
    writer: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
    cleaner: Arc<parking_lot::Mutex<Connection>>,
    commits: AtomicU32,
    cleaning: Arc<AtomicBool>,
    closed: AtomicBool,
    acquire_timeout: Duration,
    statement_timeout: Duration,
}

/// The path of a SQLite URL.
pub(super) fn path(url: &str) -> &str {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
    path.split('?').next().unwrap_or(path)
}

impl File {
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        let path = std::path::absolute(path(&config.url)).context("database.url has no path")?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder)
            .with_context(|| format!("create the folder {}", folder.display()))?;
        let common = format!(
            "pragma busy_timeout = {BUSY_MS}; pragma journal_mode = wal; pragma synchronous = {}; \
             pragma foreign_keys = on; pragma wal_autocheckpoint = 0;",
            config.synchronous.word(),
        );
        let open = |more: &str| {
            let connection = Connection::open_with_flags(
                &path,
                OpenFlags::SQLITE_OPEN_READ_WRITE
                    | OpenFlags::SQLITE_OPEN_CREATE
                    | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            connection.set_prepared_statement_cache_capacity(PREPARED);
            connection.execute_batch(&format!("{common}{more}"))?;
            Ok::<_, rusqlite::Error>(connection)
        };
        let open = |more| open(more).with_context(|| format!("open {}", path.display()));
        Ok(Self {
            writer: Arc::new(Mutex::new(open("")?)),
            reader: Arc::new(Mutex::new(open("pragma query_only = on;")?)),
            cleaner: Arc::new(parking_lot::Mutex::new(open("")?)),
            path,
            commits: AtomicU32::new(0),
            cleaning: Arc::default(),
            closed: AtomicBool::new(false),
            acquire_timeout: config.acquire_timeout,
            statement_timeout: config.statement_timeout,
        })
    }

    /// The connection that writes; those who wait for it get it in their order.
    pub(super) async fn begin(&self) -> Result<Writing, Error> {
        let connection = self.held(&self.writer).await?;
        let until = Instant::now() + self.statement_timeout;
        loop {
            // Takes the lock to write at once: a transaction that reads first and then finds the lock taken cannot wait.
            match run(&connection, "begin immediate") {
                Err(error) if is_busy(&error) && Instant::now() < until => sleep(AGAIN).await,
                begun => return begun.map(|()| Writing(connection)),
            }
        }
    }

    pub(super) async fn reader(&self) -> Result<OwnedMutexGuard<Connection>, Error> {
        self.held(&self.reader).await
    }

    /// Those that nobody holds, and the others.
    pub(super) fn connections(&self) -> (usize, usize) {
        let used = [&self.writer, &self.reader].map(|held| usize::from(held.try_lock().is_err()));
        let used = used.iter().sum();
        (CONNECTIONS - used, used)
    }

    async fn held(
        &self,
        connection: &Arc<Mutex<Connection>>,
    ) -> Result<OwnedMutexGuard<Connection>, Error> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::PoolClosed);
        }
        let held = timeout(self.acquire_timeout, Arc::clone(connection).lock_owned()).await;
        held.map_err(|_| Error::PoolTimedOut)
    }

    /// Refuses everything from now on.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Moves the log into the file, now and then, while others go on.
    pub(super) fn committed(&self) {
        if self.commits.fetch_add(1, Ordering::Relaxed) < COMMITS
            || self.cleaning.swap(true, Ordering::Acquire)
        {
            return;
        }
        self.commits.store(0, Ordering::Relaxed);
        let (cleaner, cleaning) = (Arc::clone(&self.cleaner), Arc::clone(&self.cleaning));
        // Nobody waits for it: what it cannot move now, the next one does.
        drop(spawn_blocking(move || {
            if let Err(error) = checkpoint(&cleaner.lock()) {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the write-ahead log was not moved into the database"
                );
            }
            cleaning.store(false, Ordering::Release);
        }));
    }

    /// Runs the steps that were not run yet, each with its note in one transaction.
    pub(super) async fn migrate(
        &self,
        migrations: Migrations,
        table: &'static str,
    ) -> anyhow::Result<()> {
        let connection = self.held(&self.writer).await?;
        connection.execute_batch(&format!(
            "create table if not exists {table} (name text primary key, sql text not null) without rowid"
        ))?;
        for step in migrations.0 {
            let select = format!("select sql from {table} where name = $1");
            let known: Option<(String,)> =
                rows(&connection, &select, &[step.name.into()], true, 1)?.pop();
            match known {
                Some((sql,)) => ensure!(
                    sql == step.sqlite,
                    "migration {} was changed after it was applied to {}; add another one instead",
                    step.name,
                    self.path.display()
                ),
                None => apply(&connection, step, table)
                    .with_context(|| format!("migration {}", step.name))?,
            }
        }
        Ok(())
    }
}

fn apply(connection: &Connection, step: &super::Step, table: &str) -> Result<(), Error> {
    let begun = connection.unchecked_transaction().map_err(error)?;
    begun.execute_batch(step.sqlite).map_err(error)?;
    let note = format!("insert into {table} (name, sql) values ($1, $2)");
    execute(&begun, &note, &[step.name.into(), step.sqlite.into()], true)?;
    begun.commit().map_err(error)
}

fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    let pages =
        connection.query_row("pragma wal_checkpoint(passive)", [], |row| row.get::<_, i64>(1))?;
    if pages > LONG_LOG {
        connection.query_row("pragma wal_checkpoint(restart)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// The connection that writes, in a transaction; rolled back if it is dropped in it.
pub(super) struct Writing(OwnedMutexGuard<Connection>);

impl Writing {
    pub(super) fn connection(&self) -> &Connection {
        &self.0
    }

    pub(super) fn commit(self) -> Result<(), Error> {
        run(&self.0, "commit")
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.0.is_autocommit()
            && let Err(error) = run(&self.0, "rollback")
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a transaction was not rolled back"
            );
        }
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), Error> {
    execute(connection, sql, &[], false).map(drop)
}

/// Runs a statement; how many rows it changed.
pub(super) fn execute(
    connection: &Connection,
    sql: &str,
    bound: &[Bound],
    once: bool,
) -> Result<u64, Error> {
    with(connection, sql, bound, once, |statement| {
        let mut rows = statement.raw_query();
        // A statement that returns something is run to its end.
        while rows.next()?.is_some() {}
        Ok(())
    })?;
    Ok(connection.changes())
}

/// Runs a statement; at most so many of its rows.
pub(super) fn rows<R: FromRow>(
    connection: &Connection,
    sql: &str,
    bound: &[Bound],
    once: bool,
    most: usize,
) -> Result<Vec<R>, Error> {
    let mut found = Vec::new();
    let mut failed = None;
    with(connection, sql, bound, once, |statement| {
        let mut rows = statement.raw_query();
        while found.len() < most && failed.is_none() {
            let Some(row) = rows.next()? else { break };
            match R::from_row(&Row::Sqlite(row)) {
                Ok(row) => found.push(row),
                Err(error) => failed = Some(error),
            }
        }
        Ok(())
    })?;
    failed.map_or(Ok(found), Err)
}

fn with(
    connection: &Connection,
    sql: &str,
    bound: &[Bound],
    once: bool,
    run: impl FnOnce(&mut rusqlite::Statement<'_>) -> rusqlite::Result<()>,
) -> Result<(), Error> {
    if once {
        let mut statement = connection.prepare(sql).map_err(error)?;
        bind(&mut statement, bound)?;
        return run(&mut statement).map_err(error);
    }
    let mut statement = connection.prepare_cached(sql).map_err(error)?;
    bind(&mut statement, bound)?;
    run(&mut statement).map_err(error)
}

/// `$2` is a name to SQLite, not a number: what comes first in the text has the first index.
fn bind(statement: &mut rusqlite::Statement<'_>, bound: &[Bound]) -> Result<(), Error> {
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index).unwrap_or_default();
        let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
        let value = number.and_then(|number| bound.get(number.checked_sub(1)?));
        let value = value.ok_or_else(|| {
            Error::Encode(
                format!("placeholder {name:?} stands for nothing of {}", bound.len()).into(),
            )
        })?;
        let result = match value {
            Bound::Integer(value) => statement.raw_bind_parameter(index, value),
            Bound::Real(value) => statement.raw_bind_parameter(index, value),
            Bound::Text(value) => statement.raw_bind_parameter(index, value),
            Bound::Blob(value) => statement.raw_bind_parameter(index, value),
        };
        result.map_err(error)?;
    }
    Ok(())
}

/// Another process has the lock, or the checkpoint.
fn is_busy(error: &Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == ffi::SQLITE_BUSY)
}

/// SQLite's own error, as sqlx has those of servers.
#[derive(Debug)]
struct Refusal {
    code: i32,
    message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

impl DatabaseError for Refusal {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        match self.code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                ErrorKind::UniqueViolation
            }
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ErrorKind::ForeignKeyViolation,
            ffi::SQLITE_CONSTRAINT_NOTNULL => ErrorKind::NotNullViolation,
            ffi::SQLITE_CONSTRAINT_CHECK => ErrorKind::CheckViolation,
            _ => ErrorKind::Other,
        }
    }
}

pub(super) fn error(error: rusqlite::Error) -> Error {
    match error {
        rusqlite::Error::SqliteFailure(cause, message) => {
            let message = message.unwrap_or_else(|| cause.to_string());
            Error::Database(Box::new(Refusal { code: cause.extended_code, message }))
        }
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::InvalidColumnIndex(_)
        | rusqlite::Error::IntegralValueOutOfRange(..) => Error::Decode(error.into()),
        other => Error::Io(io::Error::other(other)),
    }
}
