//! Opens the database, waits until it answers, and runs its migrations.

use std::time::Duration;

use anyhow::Context;
use sqlx::Executor;
use tokio::time::sleep;

use super::{Backend, Config, Database, Migrations, error, migrations, postgres, sqlite};

pub(super) fn open(config: &Config) -> anyhow::Result<Backend> {
    match config.url.expose().split(':').next() {
        Some("sqlite") => Ok(Backend::Sqlite(sqlite::File::open(config)?)),
        Some("postgres" | "postgresql") => Ok(Backend::Postgres(postgres::open(config)?)),
        _ => anyhow::bail!("database.url must begin with sqlite:// or postgres://"),
    }
}

/// Checks the address of a database. Returns what is wrong with it.
pub(super) fn check(url: &str) -> Result<(), String> {
    let expected = "expected sqlite://path/to/file.db or postgres://user:password@host/database";
    match url.split(':').next() {
        Some("sqlite") if sqlite::path(url).is_empty() => Err(format!("has no path; {expected}")),
        Some("sqlite") => Ok(()),
        Some("postgres" | "postgresql") => match url.parse::<sqlx::postgres::PgConnectOptions>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("not the address of a PostgreSQL database; {expected}")),
        },
        _ => Err(format!("not the address of a database; {expected}")),
    }
}

/// How long to wait before the work of the start is tried again.
const ANEW: Duration = Duration::from_millis(200);

/// Returns when the database answers and its migrations are applied. Fails at once if a retry cannot help.
pub(super) async fn prepare(database: &Database, service: Migrations) -> anyhow::Result<()> {
    let tables = async || {
        until_there(database).await?;
        migrate(database, service).await
    };
    database.insist(tables).await
}

impl Database {
    /// Does work that a service needs before it can start. If a server goes away meanwhile, the work is retried from its
    /// beginning. With a file every error is returned at once: one that is read-only, say, or on a full disk, does not come back
    /// by itself.
    ///
    /// # Errors
    /// The work failed for another reason than an outage of a server.
    pub async fn insist<T, E: Into<anyhow::Error>>(
        &self,
        work: impl AsyncFn() -> Result<T, E>,
    ) -> anyhow::Result<T> {
        let server = matches!(self.inner.backend, Backend::Postgres(_));
        let mut told = false;
        loop {
            let error = match work().await.map_err(Into::into) {
                Err(error) if server && went_away(&error) => error,
                result => return result,
            };
            if !told {
                let error = format!("{error:#}");
                tracing::warn!(error, "the database went away at the start, waiting for it");
            }
            told = true;
            sleep(ANEW).await;
        }
    }
}

/// Whether one of the causes is an outage.
fn went_away(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref()).any(error::is_outage)
}

async fn until_there(database: &Database) -> anyhow::Result<()> {
    let Backend::Postgres(pool) = &database.inner.backend else { return Ok(()) };
    let mut pause = Duration::from_millis(50);
    let mut told = false;
    loop {
        match pool.acquire().await {
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

/// Applies the migrations of the chassis, then those of the service. Each set has its own table of applied steps, so that their
/// numbers do not collide.
async fn migrate(database: &Database, service: Migrations) -> anyhow::Result<()> {
    for (migrations, table, whose) in [
        (migrations::CHASSIS, "chassis_migrations", "the tables of the chassis"),
        (service, "migrations", "the service's tables"),
    ] {
        match &database.inner.backend {
            Backend::Sqlite(file) => file.migrate(migrations, table).await,
            Backend::Postgres(pool) => migrate_server(pool, migrations, table).await,
        }
        .with_context(|| format!("migrate {whose}"))?;
    }
    Ok(())
}

async fn migrate_server(
    pool: &sqlx::PgPool,
    migrations: Migrations,
    table: &'static str,
) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    // A migration may take longer than the usual limit of a statement.
    connection.execute("set statement_timeout = 0").await?;
    migrations.migrator(table).run(&mut *connection).await?;
    // The next user of the pool gets a new connection, with the usual limit.
    connection.close().await.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sqlx::migrate::MigrateError;

    use super::*;
    use crate::{database::Error, metrics::Registry};

    /// A database that is not connected to: connections are made when they are needed.
    fn database(url: &str) -> Database {
        let config = Config { url: url.into(), ..Config::default() };
        Database::open(&config, &Registry::new()).unwrap()
    }

    #[tokio::test]
    async fn what_a_start_needs_is_done_when_the_database_is_there_again() {
        let database = database("postgres://nobody@127.0.0.1:1/none");
        let calls = AtomicUsize::new(0);
        let seeded = database.insist(async || match calls.fetch_add(1, Ordering::Relaxed) {
            0 => Err(Error::PoolTimedOut),
            1 => Ok("seeded"),
            _ => Err(Error::RowNotFound),
        });
        assert_eq!(seeded.await.unwrap(), "seeded");
        assert_eq!(calls.load(Ordering::Relaxed), 2);
        let refused = database.insist(async || Err::<(), _>(Error::RowNotFound)).await;
        assert!(matches!(refused.unwrap_err().downcast_ref(), Some(Error::RowNotFound)));
    }

    #[tokio::test]
    async fn a_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&format!("sqlite://{}/shop.db", folder.path().display()));
        let refused = database.insist(async || Err::<(), _>(Error::PoolTimedOut)).await;
        assert!(matches!(refused.unwrap_err().downcast_ref(), Some(Error::PoolTimedOut)));
    }

    #[test]
    fn an_outage_is_told_from_a_migration_that_cannot_work() {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let outage = MigrateError::Execute(Error::Io(reset));
        assert!(went_away(&anyhow::Error::new(outage).context("migrate the service's tables")));
        let closed = anyhow::Error::new(Error::PoolTimedOut);
        assert!(went_away(&closed.context("migrate the service's tables")));
        assert!(!went_away(&anyhow::Error::new(MigrateError::VersionMismatch(1))));
    }
}
