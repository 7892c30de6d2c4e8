//! The one error type that crosses a transport.
//!
//! A service decides the [`Kind`]. Each transport maps it in one place: here to a gRPC status, in [`crate::http`] to a problem
//! document, in [`crate::kafka`] to a retry or a dead letter. It is also a metric label everywhere.

use std::{borrow::Cow, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::text::printable;

/// What went wrong: one kind for each different way to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is invalid: repeating it unchanged never succeeds.
    Invalid,
    /// The requested thing does not exist.
    NotFound,
    /// The thing to be created exists already.
    AlreadyExists,
    /// Another request changed the same thing at the same time; a retry may succeed.
    Conflict,
    /// The request is well-formed, but its subject is in a state that does not allow it.
    Precondition,
    /// The caller is not authenticated.
    Unauthenticated,
    /// The caller is not allowed to do this.
    Forbidden,
    /// A limit is used up; a later retry may succeed.
    Exhausted,
    /// A service that the request needs does not answer now.
    Unavailable,
    /// The deadline passed.
    DeadlineExceeded,
    /// The caller cancelled the request.
    Cancelled,
    /// This version does not implement the operation.
    Unimplemented,
    /// A mistake in this service.
    Internal,
}

impl Kind {
    /// The label in metrics and logs: the gRPC status name in lower case.
    pub fn label(self) -> &'static str {
        match self {
            Self::Invalid => "invalid_argument",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "aborted",
            Self::Precondition => "failed_precondition",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "permission_denied",
            Self::Exhausted => "resource_exhausted",
            Self::Unavailable => "unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Cancelled => "cancelled",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
        }
    }

    /// Whether repeating the same request may succeed without a change by a person.
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::Conflict
                | Self::Exhausted
                | Self::Unavailable
                | Self::DeadlineExceeded
                | Self::Cancelled
        )
    }

    /// Whether the fault is ours and so deserves a line in the log; other errors are only returned to the caller.
    pub fn is_fault(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::DeadlineExceeded | Self::Unimplemented | Self::Internal
        )
    }

    /// <https://grpc.io/docs/guides/status-codes/>
    pub(crate) fn code(self) -> Code {
        match self {
            Self::Invalid => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
            Self::AlreadyExists => Code::AlreadyExists,
            Self::Conflict => Code::Aborted,
            Self::Precondition => Code::FailedPrecondition,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden => Code::PermissionDenied,
            Self::Exhausted => Code::ResourceExhausted,
            Self::Unavailable => Code::Unavailable,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Cancelled => Code::Cancelled,
            Self::Unimplemented => Code::Unimplemented,
            Self::Internal => Code::Internal,
        }
    }

    fn from_code(code: Code) -> Self {
        match code {
            Code::InvalidArgument | Code::OutOfRange => Self::Invalid,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists => Self::AlreadyExists,
            Code::Aborted => Self::Conflict,
            Code::FailedPrecondition => Self::Precondition,
            Code::Unauthenticated => Self::Unauthenticated,
            Code::PermissionDenied => Self::Forbidden,
            Code::ResourceExhausted => Self::Exhausted,
            Code::Unavailable => Self::Unavailable,
            Code::DeadlineExceeded => Self::DeadlineExceeded,
            Code::Cancelled => Self::Cancelled,
            Code::Unimplemented => Self::Unimplemented,
            Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Self::Internal,
        }
    }
}

/// What is wrong with one part of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The location: a path into the request, e.g. `items[0].quantity`.
    pub name: String,
    /// The mistake: names the value and the limit.
    pub message: String,
}

/// An error on its way to the caller.
///
/// ```
/// use chassis::{Error, Kind};
///
/// let error = Error::new(Kind::Precondition, "not enough in stock")
///     .reason("OUT_OF_STOCK")
///     .field("items[0].quantity", "7 wanted, 2 available");
/// assert_eq!(error.kind().label(), "failed_precondition");
///
/// // The kind, the reason and the fields cross the wire; the cause does not.
/// let status = tonic::Status::from(error);
/// assert_eq!(Error::from(status).reason_word(), Some("OUT_OF_STOCK"));
/// ```
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: Cow<'static, str>,
    reason: Option<Cow<'static, str>>,
    fields: Vec<Field>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Creates an error. The message is lower case, has no full stop and names the input; a long message is cut.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        let message = match message.into() {
            Cow::Owned(text) => printable(&text, LONGEST_TEXT).into(),
            ours => ours,
        };
        Self { kind, message, reason: None, fields: Vec::new(), retry_after: None, source: None }
    }

    /// Adds the reason, a word by which clients distinguish this error from others of its kind, e.g. `OUT_OF_STOCK`.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds what is wrong with one part of the request.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, message: impl Into<String>) -> Self {
        if self.fields.len() < MOST_FIELDS {
            let name = printable(&name.into(), LONGEST_NAME);
            let message = printable(&message.into(), LONGEST_TEXT);
            self.fields.push(Field { name, message });
        }
        self
    }

    /// Says that the call was not made, and how long to wait before the next attempt.
    #[must_use]
    pub fn postponed_for(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds the cause, for our logs; it does not cross a transport. If the cause is an error of this type that was postponed, so
    /// is this one.
    #[must_use]
    pub fn source(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        let inherited = cause.downcast_ref::<Self>().and_then(Self::postponed);
        self.retry_after = self.retry_after.or(inherited);
        self.source = Some(cause);
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How long to wait before the next attempt, if the call was not made because a circuit breaker rejected it.
    pub fn postponed(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What went wrong, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The reason: what went wrong, for programs.
    pub fn reason_word(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What is wrong with the request's parts.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|cause| cause as _)
    }
}

/// The `domain` of the `google.rpc.ErrorInfo`s that this project creates.
const DOMAIN: &str = "glassmesh";

/// The most characters of an error's text that cross a transport: the text may repeat the request, which may be of any length.
pub(crate) const LONGEST_TEXT: usize = 500;
/// The most characters of the name of a part of a request.
pub(crate) const LONGEST_NAME: usize = 100;
/// The most parts of a request that an error reports: several for each line of the longest list that a service accepts.
pub(crate) const MOST_FIELDS: usize = 200;
/// The most bytes of the parts in an answer's trailers, before they are encoded. Trailers beyond the caller's limit break the
/// whole connection, not only the call.
const TRAILERS: usize = 8 * 1024;

/// As many of the error's parts as fit into the trailers.
fn fitting(fields: &[Field]) -> impl Iterator<Item = &Field> {
    let mut left = TRAILERS;
    fields.iter().take_while(move |field| {
        let length = field.name.len() + field.message.len();
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    })
}

/// The standard error details: <https://cloud.google.com/apis/design/errors>
impl From<Error> for Status {
    #[expect(clippy::disallowed_methods, reason = "the one place where an error becomes a status")]
    fn from(error: Error) -> Self {
        // The error is logged here, since its cause does not cross the wire.
        if error.kind.is_fault() && error.source.is_some() {
            let cause = &error as &dyn std::error::Error;
            tracing::warn!(
                error = cause,
                kind = error.kind.label(),
                "a call could not be answered"
            );
        }
        // The message of an internal error may name details that are not for the caller.
        let message = if error.kind == Kind::Internal { "internal error" } else { error.message() };
        if error.reason.is_none() && error.fields.is_empty() {
            return Self::new(error.kind.code(), message);
        }
        let mut details = ErrorDetails::new();
        if let Some(reason) = &error.reason {
            details.set_error_info(reason.clone(), DOMAIN, []);
        }
        for field in fitting(&error.fields) {
            details.add_bad_request_violation(&field.name, &field.message);
        }
        Self::with_error_details(error.kind.code(), message, details)
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let mut error = Self::new(Kind::from_code(status.code()), status.message().to_owned());
        error.reason =
            details.error_info().map(|info| printable(&info.reason, LONGEST_NAME).into());
        for one in details.bad_request().map_or(&[][..], |request| &request.field_violations) {
            error = error.field(&one.field, &one.description);
        }
        error.source(status)
    }
}

/// An error and its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_and_fields_survive_the_wire() {
        let error = Error::new(Kind::Precondition, "not enough in stock")
            .reason("OUT_OF_STOCK")
            .field("items[0].quantity", "7 wanted, 2 available");
        let back = Error::from(Status::from(error));
        assert_eq!(back.kind(), Kind::Precondition);
        assert_eq!(back.reason_word(), Some("OUT_OF_STOCK"));
        assert_eq!(back.fields()[0].name, "items[0].quantity");
        assert_eq!(back.fields()[0].message, "7 wanted, 2 available");
    }

    #[test]
    fn an_error_fits_into_trailers_whatever_it_repeats() {
        let long = "é\u{202e}%\n".repeat(10_000);
        let error = Error::new(Kind::Invalid, format!("no product {long}")).reason("BAD");
        let error = (0..1000).fold(error, |error, _| error.field(long.clone(), long.clone()));
        let status = Status::from(error);
        let mut trailers = http::HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        let size: usize =
            trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        assert!(size < 24 * 1024, "{size}");
        let back = Error::from(status);
        assert!(back.message().starts_with("no product é") && back.message().ends_with('…'));
        assert!(!back.fields().is_empty());
    }

    #[test]
    fn the_message_of_an_internal_error_does_not_reach_the_caller() {
        let status = Status::from(Error::new(Kind::Internal, "no such column: cvv"));
        assert_eq!(status.message(), "internal error");
    }
}
