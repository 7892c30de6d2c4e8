//! SQLite, which is a library and not a server. A statement takes some ten microseconds, less than handing it to another thread
//! and being woken by its answer; so it runs in the thread that asks for it. Only the checkpoint runs elsewhere: it waits for the
//! disk.

mod checkpoint;
mod disk;
pub(super) mod error;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use rusqlite::{Connection, OpenFlags};
use sqlx::Error;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::{Instant, sleep, timeout},
};

use super::{
    config::{self, Config},
    migrations::{Migrations, Step},
    value::{FromRow, Row, SqlValue},
};
use checkpoint::Checkpoints;
use disk::Disk;
use error::{from as error, is_busy};

/// How many statements are kept prepared per connection: more than a service has.
const PREPARED: usize = 64;
/// How long a statement blocks its thread to wait for a lock that is held only briefly.
const BUSY_MS: u32 = 20;
/// How long other tasks run before the write lock is tried again.
const AGAIN: Duration = Duration::from_millis(5);
/// How many steps of a statement run between two checks of the time limit: some 100 µs.
const STEPS: i32 = 10_000;

/// The connections that run statements. The third only runs checkpoints.
pub(super) const CONNECTIONS: usize = 2;

/// A SQLite file with three connections: one writes, one reads, one moves the write-ahead log into the file.
pub(super) struct SqliteDb {
    path: PathBuf,
    writer: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
    checkpoints: Checkpoints,
    disk: Arc<Disk>,
    closed: AtomicBool,
    acquire_timeout: Duration,
    statement_timeout: Duration,
}

impl SqliteDb {
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        let path = std::path::absolute(config::sqlite_path(config.url.expose()))
            .context("database.url has no path")?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder)
            .with_context(|| format!("create the folder {}", folder.display()))?;
        let common = format!(
            "pragma busy_timeout = {BUSY_MS}; pragma journal_mode = wal; pragma synchronous = {}; \
             pragma foreign_keys = on; pragma wal_autocheckpoint = 0;",
            config.synchronous.as_str(),
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
        let [writer, reader] = [open("")?, open("pragma query_only = on;")?];
        let (writer, reader) = (Arc::new(Mutex::new(writer)), Arc::new(Mutex::new(reader)));
        let disk = Arc::new(Disk::of(&path).with_context(|| format!("open {}", path.display()))?);
        Ok(Self {
            checkpoints: Checkpoints::new(&writer, &reader, open("")?, &disk),
            writer,
            reader,
            disk,
            path,
            closed: AtomicBool::new(false),
            acquire_timeout: config.acquire_timeout,
            statement_timeout: config.statement_timeout,
        })
    }

    /// Begins a transaction on the connection that writes. Waiting transactions get it in their order.
    pub(super) async fn begin(&self) -> Result<WriteGuard, Error> {
        let connection = self.held(&self.writer).await?;
        self.disk.check()?;
        let limit = self.statement_timeout;
        let until = Instant::now() + limit;
        loop {
            // Takes the write lock at once: a transaction that reads first, and then finds the lock taken, cannot wait for it.
            match run(&connection, "begin immediate", limit) {
                Err(error) if is_busy(&error) && Instant::now() < until => sleep(AGAIN).await,
                begun => return begun.map(|()| WriteGuard { connection, limit }),
            }
        }
    }

    pub(super) async fn reader(&self) -> Result<OwnedMutexGuard<Connection>, Error> {
        self.held(&self.reader).await
    }

    /// Returns the numbers of idle and of used connections.
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

    /// Makes every later use fail.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Called after each commit.
    pub(super) async fn committed(&self) {
        self.checkpoints.committed().await;
    }

    pub(super) fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    #[cfg(test)]
    pub(super) fn writer(&self) -> &Mutex<Connection> {
        &self.writer
    }

    /// Runs the migrations that were not applied yet, each in one transaction with the row that notes it.
    pub(super) async fn migrate(
        &self,
        Migrations { steps, table, .. }: Migrations,
    ) -> anyhow::Result<()> {
        let connection = self.held(&self.writer).await?;
        connection.execute_batch(&format!(
            "create table if not exists {table} (name text primary key, sql text not null) without rowid"
        ))?;
        for step in steps {
            let select = format!("select sql from {table} where name = $1");
            let known: Option<(String,)> =
                rows(&connection, &select, &[step.name.into()], NO_LIMIT, 1)?.pop();
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

fn apply(connection: &Connection, step: &Step, table: &str) -> Result<(), Error> {
    let begun = connection.unchecked_transaction().map_err(error)?;
    begun.execute_batch(step.sqlite).map_err(error)?;
    let note = format!("insert into {table} (name, sql) values ($1, $2)");
    execute(&begun, &note, &[step.name.into(), step.sqlite.into()], NO_LIMIT)?;
    begun.commit().map_err(error)
}

/// A transaction on the connection that writes. It is rolled back if it is dropped.
pub(super) struct WriteGuard {
    connection: OwnedMutexGuard<Connection>,
    limit: Duration,
}

impl WriteGuard {
    /// Returns the connection while the transaction is open. After some errors (a full disk, a statement that took too long)
    /// SQLite has rolled it back by itself, and each further statement would be a transaction of its own: then this is an error.
    pub(super) fn connection(&self) -> Result<&Connection, Error> {
        if self.connection.is_autocommit() {
            return Err(Error::Protocol(
                "the transaction was rolled back by an earlier error".into(),
            ));
        }
        Ok(&self.connection)
    }

    pub(super) fn commit(self) -> Result<(), Error> {
        run(self.connection()?, "commit", self.limit)
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = run(&self.connection, "rollback", self.limit)
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a transaction was not rolled back"
            );
        }
    }
}

fn run(connection: &Connection, sql: &str, limit: Duration) -> Result<(), Error> {
    execute(connection, sql, &[], Options { limit, once: false }).map(drop)
}

/// Options for running a statement.
#[derive(Clone, Copy)]
pub(super) struct Options {
    /// How long the statement may take.
    pub(super) limit: Duration,
    /// Whether the statement is not kept prepared.
    pub(super) once: bool,
}

/// For migrations.
const NO_LIMIT: Options = Options { limit: Duration::MAX, once: true };

/// Runs a statement. Returns how many rows it changed.
pub(super) fn execute(
    connection: &Connection,
    sql: &str,
    bound: &[SqlValue],
    options: Options,
) -> Result<u64, Error> {
    with(connection, sql, bound, options, |statement| {
        let mut rows = statement.raw_query();
        // A statement that returns rows is run to its end.
        while rows.next()?.is_some() {}
        Ok(())
    })?;
    Ok(connection.changes())
}

/// Runs a statement. Returns at most this many of its rows.
pub(super) fn rows<R: FromRow>(
    connection: &Connection,
    sql: &str,
    bound: &[SqlValue],
    options: Options,
    most: usize,
) -> Result<Vec<R>, Error> {
    let mut found = Vec::new();
    let mut failed = None;
    with(connection, sql, bound, options, |statement| {
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
    bound: &[SqlValue],
    options: Options,
    run: impl FnOnce(&mut rusqlite::Statement<'_>) -> rusqlite::Result<()>,
) -> Result<(), Error> {
    let _limited = Limited::new(connection, options.limit).map_err(error)?;
    if options.once {
        let mut statement = connection.prepare(sql).map_err(error)?;
        bind(&mut statement, bound)?;
        return run(&mut statement).map_err(error);
    }
    let mut statement = connection.prepare_cached(sql).map_err(error)?;
    bind(&mut statement, bound)?;
    run(&mut statement).map_err(error)
}

/// Ends a statement that takes too long: it runs in the thread that asked for it, and keeps the whole service waiting.
struct Limited<'c>(&'c Connection);

impl<'c> Limited<'c> {
    fn new(connection: &'c Connection, limit: Duration) -> rusqlite::Result<Self> {
        let until = Instant::now().checked_add(limit);
        let late = move || until.is_some_and(|until| Instant::now() >= until);
        connection.progress_handler(STEPS, Some(late))?;
        Ok(Self(connection))
    }
}

impl Drop for Limited<'_> {
    fn drop(&mut self) {
        // This cannot fail for a connection that this process owns.
        self.0.progress_handler(0, None::<fn() -> bool>).ok();
    }
}

/// Binds the values. To SQLite, `$2` is a name and not a number: the placeholder that comes first in the text has the first
/// index.
fn bind(statement: &mut rusqlite::Statement<'_>, bound: &[SqlValue]) -> Result<(), Error> {
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
            SqlValue::Integer(value) => statement.raw_bind_parameter(index, value),
            SqlValue::Real(value) => statement.raw_bind_parameter(index, value),
            SqlValue::Text(value) => statement.raw_bind_parameter(index, value),
            SqlValue::Blob(value) => statement.raw_bind_parameter(index, value),
        };
        result.map_err(error)?;
    }
    Ok(())
}
