//! Opens the pools, waits for the database, brings its tables up to date.

use std::{path::Path, str::FromStr, time::Duration};

use anyhow::Context;
use sqlx::{
    AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions, Connection, Executor,
    any::{AnyConnectOptions, AnyPoolOptions},
    sqlite::SqliteConnectOptions,
};
use tokio::time::sleep;

use super::{Backend, Config, Database, Error, Migrations, error, migrations};

/// An idle connection older than this is tried before it is used: the server may have been restarted since.
const STALE: Duration = Duration::from_secs(1);

pub(super) struct Pools {
    pub(super) backend: Backend,
    pub(super) writer: AnyPool,
    pub(super) reader: AnyPool,
    pub(super) consumers: usize,
}

pub(super) fn open(config: &Config) -> anyhow::Result<Pools> {
    sqlx::any::install_default_drivers();
    match config.url.split(':').next() {
        Some("sqlite") => sqlite(config),
        Some("postgres" | "postgresql") => postgres(config),
        _ => anyhow::bail!("database.url must begin with sqlite:// or postgres://"),
    }
}

fn pool(config: &Config, connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(config.acquire_timeout)
        // Its log line would ask whether its level is enabled, which loses the next span: see `telemetry`.
        .acquire_slow_threshold(Duration::MAX)
        .test_before_acquire(false)
}

/// The path of a SQLite URL.
pub(super) fn sqlite_path(url: &str) -> &str {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
    path.split('?').next().unwrap_or(path)
}

fn sqlite(config: &Config) -> anyhow::Result<Pools> {
    let path = std::path::absolute(sqlite_path(&config.url)).context("database.url has no path")?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder)
        .with_context(|| format!("create the folder {}", folder.display()))?;
    let url = SqliteConnectOptions::new().filename(&path).create_if_missing(true).to_url_lossy();
    let options = AnyConnectOptions::from_url(&url)?.disable_statement_logging();
    let busy = config.statement_timeout.as_millis();
    let pragmas = format!(
        "pragma journal_mode = wal; pragma synchronous = {}; pragma busy_timeout = {busy}; pragma foreign_keys = on;",
        config.synchronous.word(),
    );
    let reading = format!("{pragmas} pragma query_only = on;");
    Ok(Pools {
        backend: Backend::Sqlite,
        // One writer: SQLite lets one write at a time, and waiting in our queue is fair, which waiting for its lock is not.
        writer: prepared(pool(config, 1).max_lifetime(None).idle_timeout(None), pragmas)
            .connect_lazy_with(options.clone()),
        reader: prepared(pool(config, config.readers).max_lifetime(None), reading)
            .connect_lazy_with(options),
        consumers: 1,
    })
}

fn postgres(config: &Config) -> anyhow::Result<Pools> {
    let options = AnyConnectOptions::from_str(&config.url)
        .context("database.url")?
        .disable_statement_logging();
    let limit = config.statement_timeout.as_millis();
    let pool =
        prepared(pool(config, config.max_connections), format!("set statement_timeout = {limit}"))
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > STALE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
    let consumers = (config.max_connections as usize * 2 / 3).max(1);
    Ok(Pools { backend: Backend::Postgres, writer: pool.clone(), reader: pool, consumers })
}

/// Runs these statements on every new connection.
fn prepared(options: AnyPoolOptions, statements: String) -> AnyPoolOptions {
    options.after_connect(move |connection, _| {
        let statements = statements.clone();
        Box::pin(async move {
            connection.execute(AssertSqlSafe(statements)).await?;
            Ok(())
        })
    })
}

/// Returns when the database answers; fails at once if it never will.
pub(super) async fn until_there(database: &Database) -> anyhow::Result<()> {
    let mut pause = Duration::from_millis(50);
    let mut told = false;
    loop {
        match database.inner.writer.acquire().await {
            Ok(_) => return Ok(()),
            Err(error) if error::is_outage(&error) => {
                if !told {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the database does not answer, waiting for it"
                    );
                }
                told = true;
            }
            Err(error) => return Err(error).context("connect to the database"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// The chassis' tables, then the service's. Each has its own table of applied steps, so that their numbers do not meet.
pub(super) async fn migrate(database: &Database, service: Migrations) -> anyhow::Result<()> {
    let mut connection = database.inner.writer.acquire().await?;
    // A migration may well take longer than a statement of daily business.
    if database.is_postgres() {
        connection.execute("set statement_timeout = 0").await?;
    }
    apply(&mut connection, database.backend(), migrations::CHASSIS, "chassis_migrations")
        .await
        .context("migrate the tables of the chassis")?;
    apply(&mut connection, database.backend(), service, "migrations")
        .await
        .context("migrate the service's tables")?;
    // The next one connects anew, with the usual limit.
    connection.close().await.ok();
    Ok(())
}

async fn apply(
    connection: &mut AnyConnection,
    backend: Backend,
    migrations: Migrations,
    table: &'static str,
) -> Result<(), Error> {
    Ok(migrations.of(backend, table).run(connection).await?)
}
