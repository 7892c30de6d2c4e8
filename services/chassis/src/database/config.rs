//! How a database is reached.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::sqlite;

/// A service's own database.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// `sqlite://path/to/file.db` (made if it is not there) or `postgres://user:password@host/database`.
    pub url: String,
    /// PostgreSQL: most connections at once. SQLite has one writer.
    pub max_connections: u32,
    /// SQLite: what a commit waits for. `normal` survives a crash of the process, `full` also one of the machine.
    pub synchronous: Synchronous,
    /// How long one statement may take, its wait for locks included.
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
    /// How long to wait for a free connection.
    #[serde(with = "humantime_serde")]
    pub acquire_timeout: Duration,
}

impl Config {
    /// A SQLite file named after the service, below the current folder.
    pub fn local(service: &str) -> Self {
        Self { url: format!("sqlite://.mesh/{service}.db"), ..Self::default() }
    }

    /// The path of a SQLite file; `None` if the database is a server.
    pub fn file(&self) -> Option<PathBuf> {
        self.url.starts_with("sqlite:").then(|| sqlite::path(&self.url).into())
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

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        let kind = self.url.split(':').next().unwrap_or_default();
        f.debug_struct("Config").field("url", &format_args!("{kind}:…")).finish_non_exhaustive()
    }
}

/// What a commit to SQLite waits for: <https://www.sqlite.org/pragma.html#pragma_synchronous>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// For the operating system to have it: survives a crash of the process.
    Normal,
    /// For the disk to have it: survives a crash of the machine.
    Full,
}

impl Synchronous {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Full => "full",
        }
    }
}
