//! The values that go into a statement, and those that come out of it.

use sqlx::{Error, postgres::PgRow};

/// A value for a placeholder. A null has a type, too, because PostgreSQL needs it.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// `BIGINT`.
    Integer(Option<i64>),
    /// `DOUBLE PRECISION`.
    Real(Option<f64>),
    /// `TEXT`.
    Text(Option<String>),
    /// `BLOB`, `BYTEA`.
    Blob(Option<Vec<u8>>),
}

macro_rules! bound {
    ($($variant:ident from $($type:ty),+;)+) => {$($(
        impl From<$type> for SqlValue {
            fn from(value: $type) -> Self {
                Self::$variant(Some(value.into()))
            }
        }

        impl From<Option<$type>> for SqlValue {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map(Into::into))
            }
        }
    )+)+};
}

bound! {
    Integer from i64, i32;
    Real from f64;
    Text from String, &str, &String;
    Blob from Vec<u8>, &[u8];
}

/// One row of a result.
pub enum Row<'r> {
    #[doc(hidden)]
    Sqlite(&'r rusqlite::Row<'r>),
    #[doc(hidden)]
    Postgres(&'r PgRow),
}

/// A type as which a column can be read: `i64`, `f64`, `String`, `Vec<u8>`, or an `Option` of one.
pub trait Column: Sized {
    #[doc(hidden)]
    fn read(row: &Row<'_>, index: usize) -> Result<Self, Error>;
}

impl<T> Column for T
where
    T: rusqlite::types::FromSql
        + for<'r> sqlx::Decode<'r, sqlx::Postgres>
        + sqlx::Type<sqlx::Postgres>,
{
    fn read(row: &Row<'_>, index: usize) -> Result<Self, Error> {
        match row {
            Row::Sqlite(row) => row.get(index).map_err(super::sqlite::error::from),
            Row::Postgres(row) => sqlx::Row::try_get(*row, index),
        }
    }
}

/// A type as which a row can be read: a tuple of columns, in their order.
pub trait FromRow: Sized {
    /// Reads a row.
    ///
    /// # Errors
    /// A column does not exist, or has another type.
    fn from_row(row: &Row<'_>) -> Result<Self, Error>;
}

/// Declares the struct of a row: its fields are the columns of the query, in their order.
///
/// ```
/// chassis::row! {
///     /// An order, as the table has it.
///     struct OrderRow {
///         id: String,
///         total_minor: i64,
///         reason: Option<String>,
///     }
/// }
/// ```
#[macro_export]
macro_rules! row {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$attribute])*
        $visibility struct $name { $($field: $type),+ }

        impl $crate::database::FromRow for $name {
            fn from_row(row: &$crate::database::Row<'_>) -> Result<Self, $crate::database::Error> {
                let mut columns = 0..;
                // Fields are evaluated in the order in which they are written.
                Ok(Self { $($field: row.read(&mut columns)?),+ })
            }
        }
    };
}

impl Row<'_> {
    #[doc(hidden)]
    pub fn read<C: Column>(&self, columns: &mut std::ops::RangeFrom<usize>) -> Result<C, Error> {
        C::read(self, columns.next().unwrap_or_default())
    }
}

/// Tuples of one column, two, and so on, up to those that are named here.
macro_rules! tuples {
    (@ $($name:ident $index:tt),*;) => {};
    (@ $($name:ident $index:tt),*; $next:ident $number:tt $(, $more:ident $after:tt)*) => {
        impl<$($name: Column,)* $next: Column> FromRow for ($($name,)* $next,) {
            fn from_row(row: &Row<'_>) -> Result<Self, Error> {
                Ok(($($name::read(row, $index)?,)* $next::read(row, $number)?,))
            }
        }
        tuples!(@ $($name $index,)* $next $number; $($more $after),*);
    };
}

tuples!(@ ; A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15);
