//! The settings of a database.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};

use crate::config::SecretUrl;

/// A service's own database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// `sqlite://path/to/file.db` (created if it does not exist) or `postgres://user:password@host/database`.
    #[serde(deserialize_with = "address")]
    pub url: SecretUrl,
    /// PostgreSQL: the most connections at once. SQLite has one writer.
    pub max_connections: u32,
    /// SQLite: what a commit waits for. `normal` survives a crash of the process, `full` also one of the machine.
    pub synchronous: Synchronous,
    /// How long one statement may take, including its wait for locks.
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
    /// How long a transaction or a read waits for a free connection.
    #[serde(with = "humantime_serde")]
    pub acquire_timeout: Duration,
}

impl Config {
    /// A SQLite file named after the service, in `.mesh` below the current folder.
    pub fn local(service: &str) -> Self {
        Self { url: format!("sqlite://.mesh/{service}.db").into(), ..Self::default() }
    }

    /// The path of a SQLite file; `None` if the database is a server.
    pub fn file(&self) -> Option<PathBuf> {
        let url = self.url.expose();
        url.starts_with("sqlite:").then(|| sqlite_path(url).into())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "sqlite://.mesh/service.db".into(),
            max_connections: 12,
            synchronous: Synchronous::Normal,
            statement_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(5),
        }
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretUrl, D::Error> {
    SecretUrl::checked(deserializer, check)
}

/// Returns the path in a SQLite URL.
pub(super) fn sqlite_path(url: &str) -> &str {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
    path.split('?').next().unwrap_or(path)
}

/// Checks the address of a database. Returns what is wrong with it.
fn check(url: &str) -> Result<(), String> {
    let expected = "expected sqlite://path/to/file.db or postgres://user:password@host/database";
    match url.split(':').next() {
        Some("sqlite") if sqlite_path(url).is_empty() => Err(format!("has no path; {expected}")),
        Some("sqlite") => Ok(()),
        Some("postgres" | "postgresql") => match url.parse::<sqlx::postgres::PgConnectOptions>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("not the address of a PostgreSQL database; {expected}")),
        },
        _ => Err(format!("not the address of a database; {expected}")),
    }
}

/// When a commit to SQLite is complete: <https://www.sqlite.org/pragma.html#pragma_synchronous>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// When the operating system has it: it survives a crash of the process.
    Normal,
    /// When the disk has it: it survives a crash of the machine.
    Full,
}

impl Synchronous {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Full => "full",
        }
    }
}
