//! The meaning of a database's errors.

use std::{fmt, io};

use sqlx::{Error, error::DatabaseError};

use crate::error::Kind;

/// Whether the statement failed because a row with the same unique key exists.
pub fn is_unique_violation(error: &Error) -> bool {
    error.as_database_error().is_some_and(DatabaseError::is_unique_violation)
}

/// Whether the error is about the database as a whole, rather than about one statement.
pub(super) fn is_outage(error: &Error) -> bool {
    match error {
        Error::Io(_)
        | Error::Tls(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed => true,
        Error::Database(cause) => cause.code().is_some_and(|code| Code::of(&code) == Code::Outage),
        _ => false,
    }
}

/// Whether the file is damaged. Parts of it that can still be read or written do not prove the rest intact.
pub(super) fn is_malformed(error: &Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    // SQLite's numbers are shorter than PostgreSQL's five characters.
    code.filter(|code| code.len() < 5)
        .and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| matches!(code & 0xff, 11 | 26))
}

/// Whether the disk is full.
pub(super) fn is_full(error: &Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code == "13" || code == "53100")
}

fn kind(error: &Error) -> Kind {
    match error {
        Error::Io(cause) if cause.kind() == io::ErrorKind::TimedOut => Kind::DeadlineExceeded,
        Error::RowNotFound => Kind::NotFound,
        _ if invalid_value(error).is_some() => Kind::Invalid,
        Error::Database(cause) if cause.is_unique_violation() => Kind::AlreadyExists,
        Error::Database(cause) => match cause.code().map(|code| Code::of(&code)) {
            Some(Code::Outage) => Kind::Unavailable,
            Some(Code::Conflict) => Kind::Conflict,
            Some(Code::Timeout) => Kind::DeadlineExceeded,
            _ => Kind::Internal,
        },
        _ if is_outage(error) => Kind::Unavailable,
        _ => Kind::Internal,
    }
}

/// A statement was not run, because what it should write is invalid. The text says what, and why.
#[derive(Debug)]
struct InvalidValue(String);

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidValue {}

/// Returns the error for a value that cannot be written, as of kind [`Kind::Invalid`].
pub(crate) fn invalid(why: String) -> Error {
    Error::Encode(Box::new(InvalidValue(why)))
}

/// Returns the value that is invalid, if that, and not the database, is at fault.
fn invalid_value(error: &Error) -> Option<&InvalidValue> {
    match error {
        Error::Encode(cause) => cause.downcast_ref(),
        _ => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Outage,
    Conflict,
    Timeout,
    Other,
}

impl Code {
    /// PostgreSQL's codes have five characters; SQLite's are numbers whose low byte is the kind of the error.
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>, <https://www.sqlite.org/rescode.html>
    fn of(code: &str) -> Self {
        if code.len() == 5 {
            return match code {
                "40001" | "40P01" | "55P03" => Self::Conflict,
                // Cancelled, or idle in a transaction for too long.
                "57014" | "25P03" => Self::Timeout,
                // Connection, resources, operator intervention, system.
                _ if ["08", "53", "57", "58"].contains(&&code[..2]) => Self::Outage,
                // The server is recovering, or read-only after a fail-over.
                "25006" => Self::Outage,
                _ => Self::Other,
            };
        }
        match code.parse::<u32>().map(|number| number & 0xff) {
            // Busy, locked.
            Ok(5 | 6) => Self::Conflict,
            // Interrupted, because it took too long.
            Ok(9) => Self::Timeout,
            // Read-only, I/O, malformed, full, cannot open, no database.
            Ok(8 | 10 | 11 | 13 | 14 | 26) => Self::Outage,
            _ => Self::Other,
        }
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let kind = kind(&error);
        if let Some(why) = invalid_value(&error) {
            return Self::new(kind, why.to_string());
        }
        let message = match kind {
            Kind::Unavailable => "the database does not answer",
            Kind::DeadlineExceeded => "the database took too long",
            Kind::Conflict => "somebody else changed it at the same time",
            Kind::AlreadyExists => "it is there already",
            Kind::NotFound => "it is not there",
            _ => "the database refused",
        };
        Self::new(kind, message).source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_mean_the_same() {
        for (code, meaning) in [
            ("40P01", Code::Conflict),
            ("40001", Code::Conflict),
            ("5", Code::Conflict),
            ("517", Code::Conflict),
            ("57P01", Code::Outage),
            ("08006", Code::Outage),
            ("53300", Code::Outage),
            ("13", Code::Outage),
            ("11", Code::Outage),
            ("779", Code::Outage),
            ("26", Code::Outage),
            ("9", Code::Timeout),
            ("53100", Code::Outage),
            ("57014", Code::Timeout),
            ("25P03", Code::Timeout),
            ("23505", Code::Other),
            ("2067", Code::Other),
        ] {
            assert_eq!(Code::of(code), meaning, "{code}");
        }
    }

    #[test]
    fn a_pool_without_a_free_connection_is_unavailable() {
        assert_eq!(crate::Error::from(Error::PoolTimedOut).kind(), Kind::Unavailable);
    }
}
