//! One statement.

use sqlx::{Error, SqlSafeStr, SqlStr};

use super::{
    backend::Backend,
    handle::Database,
    postgres, sqlite,
    transaction::{Begun, Tx},
    value::{FromRow, SqlValue},
};

/// A statement and the values for its placeholders.
#[must_use = "a statement does nothing until it is run"]
pub struct Statement<'a> {
    target: Target<'a>,
    sql: SqlStr,
    bound: Vec<SqlValue>,
    once: bool,
}

enum Target<'a> {
    Tx(&'a mut Tx),
    Read(&'a Database, &'static str),
}

impl Database {
    /// A statement that reads, outside of a transaction.
    pub fn query(&self, operation: &'static str, sql: impl SqlSafeStr) -> Statement<'_> {
        Statement::reading(self, operation, sql.into_sql_str())
    }
}

impl Tx {
    /// A statement in this transaction.
    pub fn query(&mut self, sql: impl SqlSafeStr) -> Statement<'_> {
        Statement::within(self, sql.into_sql_str())
    }
}

impl<'a> Statement<'a> {
    fn within(tx: &'a mut Tx, sql: SqlStr) -> Self {
        Self { target: Target::Tx(tx), sql, bound: Vec::new(), once: false }
    }

    fn reading(database: &'a Database, operation: &'static str, sql: SqlStr) -> Self {
        Self { target: Target::Read(database, operation), sql, bound: Vec::new(), once: false }
    }

    /// Binds the value of the next placeholder: `i64`, `f64`, `&str`, `String`, `&[u8]`, `Vec<u8>`, or an `Option` of one.
    pub fn bind(mut self, value: impl Into<SqlValue>) -> Self {
        self.bound.push(value.into());
        self
    }

    /// Does not keep the statement prepared: its text never recurs.
    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Runs the statement. Returns how many rows it changed.
    ///
    /// # Errors
    /// The database refused the statement, or did not answer in time.
    pub async fn execute(self) -> Result<u64, Error> {
        let Self { target, sql, bound, once } = self;
        match target {
            Target::Tx(tx) => {
                let (database, begun) = tx.parts();
                match begun {
                    Begun::Sqlite(writing) => {
                        let options = database.sqlite_options(once);
                        database.record_outage(writing.connection().and_then(|connection| {
                            sqlite::execute(connection, sql.as_str(), &bound, options)
                        }))
                    }
                    Begun::Postgres(connection) => {
                        database
                            .limited(Box::pin(postgres::execute(connection, sql, bound, once)))
                            .await
                    }
                }
            }
            // The reader's connection refuses to write: statements that change rows need a transaction.
            Target::Read(..) => {
                Err(Error::Protocol("a statement that changes rows is not in a transaction".into()))
            }
        }
    }

    /// Runs the statement and returns all its rows.
    ///
    /// # Errors
    /// The database refused the statement or did not answer in time, or a column has another type than the row type says.
    pub async fn all<R: FromRow + Send>(self) -> Result<Vec<R>, Error> {
        self.rows(usize::MAX).await
    }

    /// Runs the statement and returns its first row, if it has any.
    ///
    /// # Errors
    /// As [`Statement::all`].
    pub async fn optional<R: FromRow + Send>(self) -> Result<Option<R>, Error> {
        Ok(self.rows(1).await?.pop())
    }

    /// Runs the statement and returns its first row.
    ///
    /// # Errors
    /// As [`Statement::all`]; and if the result has no row.
    pub async fn one<R: FromRow + Send>(self) -> Result<R, Error> {
        self.optional().await?.ok_or(Error::RowNotFound)
    }

    async fn rows<R: FromRow + Send>(self, most: usize) -> Result<Vec<R>, Error> {
        let Self { target, sql, bound, once } = self;
        match target {
            Target::Tx(tx) => {
                let (database, begun) = tx.parts();
                match begun {
                    Begun::Sqlite(writing) => {
                        let options = database.sqlite_options(once);
                        database.record_outage(writing.connection().and_then(|connection| {
                            sqlite::rows(connection, sql.as_str(), &bound, options, most)
                        }))
                    }
                    Begun::Postgres(connection) => {
                        database
                            .limited(Box::pin(postgres::rows(connection, sql, bound, once, most)))
                            .await
                    }
                }
            }
            Target::Read(database, name) => {
                let operation = database.operation(name);
                let result = read(database, sql, bound, once, most).await;
                operation.end(&result);
                result
            }
        }
    }
}

/// Runs a statement that reads, outside of a transaction.
async fn read<R: FromRow + Send>(
    database: &Database,
    sql: SqlStr,
    bound: Vec<SqlValue>,
    once: bool,
    most: usize,
) -> Result<Vec<R>, Error> {
    match &database.inner.backend {
        Backend::Sqlite(file) => {
            let reader = database.record_outage(file.reader().await)?;
            let options = database.sqlite_options(once);
            database.record_outage(sqlite::rows(&reader, sql.as_str(), &bound, options, most))
        }
        Backend::Postgres(pool) => {
            // Boxed, here and elsewhere: these futures are large, and everything that awaits a statement contains them.
            let mut connection = database.record_outage(Box::pin(pool.acquire()).await)?;
            database
                .limited(Box::pin(postgres::rows(&mut connection, sql, bound, once, most)))
                .await
        }
    }
}
