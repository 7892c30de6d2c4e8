//! One statement.

use sqlx::{
    Any, AnyConnection, Arguments, Encode, Error, FromRow, SqlStr, Type,
    any::{AnyArguments, AnyRow},
};

use super::{Database, Tx};

/// A statement and what is bound to its placeholders.
#[must_use = "a statement does nothing until it is run"]
pub struct Statement<'a> {
    target: Target<'a>,
    sql: SqlStr,
    arguments: AnyArguments,
    refused: Option<Error>,
    once: bool,
}

enum Target<'a> {
    Tx(&'a mut Tx),
    Read(&'a Database, &'static str),
}

impl<'a> Statement<'a> {
    pub(super) fn within(tx: &'a mut Tx, sql: SqlStr) -> Self {
        Self::new(Target::Tx(tx), sql)
    }

    pub(super) fn reading(database: &'a Database, operation: &'static str, sql: SqlStr) -> Self {
        Self::new(Target::Read(database, operation), sql)
    }

    fn new(target: Target<'a>, sql: SqlStr) -> Self {
        Self { target, sql, arguments: AnyArguments::default(), refused: None, once: false }
    }

    /// Binds the next placeholder: `i64`, `f64`, `&str`, `String`, `&[u8]`, `Vec<u8>`, or an `Option` of one.
    pub fn bind<'t, T: Encode<'t, Any> + Type<Any>>(mut self, value: T) -> Self {
        if let Err(error) = self.arguments.add(value) {
            self.refused.get_or_insert(Error::Encode(error));
        }
        self
    }

    /// Does not keep it prepared: its text is never the same again.
    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Runs it; how many rows it changed.
    ///
    /// # Errors
    /// The database refused it, or did not answer in time.
    pub async fn execute(self) -> Result<u64, Error> {
        let keep = !self.once;
        self.run(async move |sql, arguments, connection: &mut AnyConnection| {
            let query = sqlx::query_with::<Any, _>(sql, arguments).persistent(keep);
            Ok(query.execute(connection).await?.rows_affected())
        })
        .await
    }

    /// All its rows.
    ///
    /// # Errors
    /// The database refused it, did not answer in time, or a column is not what the row type says.
    pub async fn all<R>(self) -> Result<Vec<R>, Error>
    where
        R: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        self.run(async |sql, arguments, connection: &mut AnyConnection| {
            sqlx::query_as_with::<Any, R, _>(sql, arguments).fetch_all(connection).await
        })
        .await
    }

    /// Its first row, if it has any.
    ///
    /// # Errors
    /// As [`Statement::all`].
    pub async fn optional<R>(self) -> Result<Option<R>, Error>
    where
        R: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        self.run(async |sql, arguments, connection: &mut AnyConnection| {
            sqlx::query_as_with::<Any, R, _>(sql, arguments).fetch_optional(connection).await
        })
        .await
    }

    /// Its first row.
    ///
    /// # Errors
    /// As [`Statement::all`]; and if there is no row.
    pub async fn one<R>(self) -> Result<R, Error>
    where
        R: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        self.optional().await?.ok_or(Error::RowNotFound)
    }

    async fn run<T>(
        self,
        run: impl AsyncFnOnce(SqlStr, AnyArguments, &mut AnyConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        match self.target {
            Target::Tx(tx) => {
                let (database, connection) = tx.parts();
                database.limited(run(self.sql, self.arguments, connection)).await
            }
            Target::Read(database, name) => {
                let operation = database.operation(name);
                let result = async {
                    let mut connection = database.judged(database.inner.reader.acquire().await)?;
                    database.limited(run(self.sql, self.arguments, &mut connection)).await
                };
                let result = result.await;
                operation.end(&result);
                result
            }
        }
    }
}
