//! The database of a service: SQLite in a file, or PostgreSQL, with the same statements on both.
//!
//! Statements keep to `BIGINT`, `TEXT`, `DOUBLE PRECISION` and `BLOB`/`BYTEA` with `$1` placeholders; a time is a `BIGINT` of
//! microseconds ([`micros`]). Each statement has a time limit. Each transaction and each read has a name from our source: it
//! names the span, and is the label in `db_client_operation_duration_seconds`.

mod backend;
mod config;
mod connect;
mod error;
mod handle;
mod keep;
mod migrations;
mod operation;
mod postgres;
mod sqlite;
mod statement;
#[cfg(test)]
mod tests;
mod time;
mod transaction;
mod value;

pub use config::{Config, Synchronous};
pub(crate) use error::invalid;
pub use error::is_unique_violation;
pub use handle::Database;
pub use migrations::{Migrations, Step};
pub use sqlx::Error;
pub use statement::Statement;
pub(crate) use time::before;
pub use time::{micros, now, time};
pub use transaction::Tx;
pub use value::{Column, FromRow, Row, SqlValue};
