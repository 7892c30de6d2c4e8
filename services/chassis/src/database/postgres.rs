//! PostgreSQL: a pool of connections to a server.

use std::{str::FromStr, time::Duration};

use anyhow::Context;
use sqlx::{
    Arguments, AssertSqlSafe, ConnectOptions, Connection, Error, Executor, PgConnection, PgPool,
    SqlStr,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions},
};

use super::{
    config::Config,
    value::{FromRow, Row, SqlValue},
};

/// A connection that was idle for longer than this is tested before it is used: the server may have been restarted since.
const STALE: Duration = Duration::from_secs(1);

/// A transaction that is idle for this long belongs to a process that is frozen, and its locks keep others waiting: the server
/// ends it. Longer than one attempt at an event may take.
const FROZEN: Duration = Duration::from_secs(60);

pub(super) fn open(config: &Config) -> anyhow::Result<PgPool> {
    let options = PgConnectOptions::from_str(config.url.expose())
        .context("database.url")?
        .disable_statement_logging();
    let limit = format!(
        "set statement_timeout = {}; set idle_in_transaction_session_timeout = {}",
        config.statement_timeout.as_millis(),
        FROZEN.as_millis()
    );
    Ok(PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout)
        // The log line for a slow acquire would check whether its level is enabled, and that loses the next span: see
        // `telemetry`.
        .acquire_slow_threshold(Duration::MAX)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let limit = limit.clone();
            Box::pin(async move { connection.execute(AssertSqlSafe(limit)).await.map(drop) })
        })
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > STALE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options))
}

fn arguments(bound: Vec<SqlValue>) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    for value in bound {
        let added = match value {
            SqlValue::Integer(value) => arguments.add(value),
            SqlValue::Real(value) => arguments.add(value),
            SqlValue::Text(value) => arguments.add(value),
            SqlValue::Blob(value) => arguments.add(value),
        };
        added.map_err(Error::Encode)?;
    }
    Ok(arguments)
}

/// Runs a statement. Returns how many rows it changed.
pub(super) async fn execute(
    connection: &mut PgConnection,
    sql: SqlStr,
    bound: Vec<SqlValue>,
    once: bool,
) -> Result<u64, Error> {
    let query = sqlx::query_with(sql, arguments(bound)?).persistent(!once);
    Ok(query.execute(connection).await?.rows_affected())
}

/// Runs a statement. Returns at most this many of its rows.
pub(super) async fn rows<R: FromRow>(
    connection: &mut PgConnection,
    sql: SqlStr,
    bound: Vec<SqlValue>,
    once: bool,
    most: usize,
) -> Result<Vec<R>, Error> {
    let query = sqlx::query_with(sql, arguments(bound)?).persistent(!once);
    let rows = query.fetch_all(connection).await?;
    rows.iter().take(most).map(|row| R::from_row(&Row::Postgres(row))).collect()
}
