//! The two kinds of databases.

use sqlx::PgPool;

use super::{
    config::Config,
    postgres,
    sqlite::{self, SqliteDb},
};

/// The database itself.
pub(super) enum Backend {
    Sqlite(SqliteDb),
    Postgres(PgPool),
}

impl Backend {
    /// Opens a file, or prepares the connections to a server, which are made when they are needed.
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        match config.url.expose().split(':').next() {
            Some("sqlite") => Ok(Self::Sqlite(SqliteDb::open(config)?)),
            Some("postgres" | "postgresql") => Ok(Self::Postgres(postgres::open(config)?)),
            _ => anyhow::bail!("database.url must begin with sqlite:// or postgres://"),
        }
    }

    /// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/db/>
    pub(super) fn system(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }

    /// How many consumers' transactions may run at once. SQLite allows one write at a time; with a server, some connections are
    /// kept free for requests.
    pub(super) fn consumers(&self, config: &Config) -> usize {
        match self {
            Self::Sqlite(_) => 1,
            Self::Postgres(_) => (config.max_connections as usize * 2 / 3).max(1),
        }
    }

    /// Returns the numbers of idle and of used connections.
    pub(super) fn connections(&self) -> (usize, usize) {
        match self {
            Self::Sqlite(file) => file.connections(),
            Self::Postgres(pool) => {
                // Both numbers may change between the two calls.
                let (all, idle) = (pool.size() as usize, pool.num_idle());
                (idle, all.saturating_sub(idle))
            }
        }
    }

    pub(super) fn most_connections(&self) -> usize {
        match self {
            Self::Sqlite(_) => sqlite::CONNECTIONS,
            Self::Postgres(pool) => pool.options().get_max_connections() as usize,
        }
    }
}
