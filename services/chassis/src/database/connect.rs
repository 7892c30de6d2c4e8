//! Connects to a database: waits until it answers, and applies its migrations.

use std::time::Duration;

use anyhow::Context;
use sqlx::Executor;
use tokio::time::sleep;

use super::{Config, Database, Migrations, backend::Backend, error};
use crate::{metrics::Registry, retry};

/// The first and the longest pause between two attempts to connect to a server.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long to wait before the work of the start is tried again.
const ANEW: Duration = Duration::from_millis(200);

impl Database {
    /// Connects and applies the migrations, one set after the other. A server that does not answer is retried until it does.
    ///
    /// # Errors
    /// The configuration is invalid, or a migration failed.
    pub async fn connect(
        config: &Config,
        migrations: &[Migrations],
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        let database = Self::open(config, registry)?;
        let tables = async || {
            until_there(&database).await?;
            migrate(&database, migrations).await
        };
        database.retry_while_unavailable(tables).await?;
        database.seen_up(true);
        Ok(database)
    }

    /// Does work that a service needs before it can start. If a server goes away meanwhile, the work is retried from its
    /// beginning. With a file every error is returned at once: one that is read-only, say, or on a full disk, does not come back
    /// by itself.
    ///
    /// # Errors
    /// The work failed for another reason than an outage of a server.
    pub async fn retry_while_unavailable<T, E: Into<anyhow::Error>>(
        &self,
        work: impl AsyncFn() -> Result<T, E>,
    ) -> anyhow::Result<T> {
        let server = matches!(self.inner.backend, Backend::Postgres(_));
        let mut warned = false;
        loop {
            let error = match work().await.map_err(Into::into) {
                Err(error) if server && went_away(&error) => error,
                result => return result,
            };
            if !warned {
                let error = format!("{error:#}");
                tracing::warn!(error, "the database went away at the start, waiting for it");
            }
            warned = true;
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
    let (mut attempts, mut warned) = (0, false);
    loop {
        match pool.acquire().await {
            Ok(_) => return Ok(()),
            Err(error) if error::is_outage(&error) => {
                if !warned {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the database does not answer, waiting for it"
                    );
                }
                warned = true;
            }
            Err(error) => return Err(error).context("connect to the database"),
        }
        sleep(retry::pause(FIRST_PAUSE, LONGEST_PAUSE, attempts)).await;
        attempts += 1;
    }
}

async fn migrate(database: &Database, sets: &[Migrations]) -> anyhow::Result<()> {
    for migrations in sets {
        match &database.inner.backend {
            Backend::Sqlite(file) => file.migrate(*migrations).await,
            Backend::Postgres(pool) => migrate_server(pool, *migrations).await,
        }
        .with_context(|| format!("apply the {}", migrations.table))?;
    }
    Ok(())
}

async fn migrate_server(pool: &sqlx::PgPool, migrations: Migrations) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    // A migration may take longer than the usual limit of a statement.
    connection.execute("set statement_timeout = 0").await?;
    migrations.migrator().run(&mut *connection).await?;
    // The next user of the pool gets a new connection, with the usual limit.
    connection.close().await.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sqlx::migrate::MigrateError;

    use super::*;
    use crate::database::Error;

    /// A database that is not connected to: connections are made when they are needed.
    fn database(url: &str) -> Database {
        let config = Config { url: url.into(), ..Config::default() };
        Database::open(&config, &Registry::new()).unwrap()
    }

    #[tokio::test]
    async fn what_a_start_needs_is_done_when_the_database_is_there_again() {
        let database = database("postgres://nobody@127.0.0.1:1/none");
        let calls = AtomicUsize::new(0);
        let seeded = database.retry_while_unavailable(async || {
            match calls.fetch_add(1, Ordering::Relaxed) {
                0 => Err(Error::PoolTimedOut),
                1 => Ok("seeded"),
                _ => Err(Error::RowNotFound),
            }
        });
        assert_eq!(seeded.await.unwrap(), "seeded");
        assert_eq!(calls.load(Ordering::Relaxed), 2);
        let refused =
            database.retry_while_unavailable(async || Err::<(), _>(Error::RowNotFound)).await;
        assert!(matches!(refused.unwrap_err().downcast_ref(), Some(Error::RowNotFound)));
    }

    #[tokio::test]
    async fn a_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&format!("sqlite://{}/shop.db", folder.path().display()));
        let refused =
            database.retry_while_unavailable(async || Err::<(), _>(Error::PoolTimedOut)).await;
        assert!(matches!(refused.unwrap_err().downcast_ref(), Some(Error::PoolTimedOut)));
    }

    #[test]
    fn an_outage_differs_from_a_migration_that_cannot_work() {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let outage = MigrateError::Execute(Error::Io(reset));
        assert!(went_away(&anyhow::Error::new(outage).context("migrate the service's tables")));
        let closed = anyhow::Error::new(Error::PoolTimedOut);
        assert!(went_away(&closed.context("migrate the service's tables")));
        assert!(!went_away(&anyhow::Error::new(MigrateError::VersionMismatch(1))));
    }
}
