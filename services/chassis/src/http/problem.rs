//! Errors as problem documents, RFC 9457.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Kind,
    error::{LONGEST_NAME, LONGEST_TEXT, MOST_FIELDS},
    telemetry,
    text::printable,
};

/// Content type of a problem document.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong, for people and programs: <https://www.rfc-editor.org/rfc/rfc9457>
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// A URI reference that identifies the kind of problem, e.g. `/problems/out-of-stock`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few words.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong in this case.
    pub detail: String,
    /// The trace of the request, 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// What is wrong with parts of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// When to retry, in seconds: the header `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<u32>,
    /// The methods that the path allows: the header `Allow` of a 405.
    #[serde(skip)]
    pub allow: Option<HeaderValue>,
}

/// What is wrong with one part of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FieldProblem {
    /// The location: a path into the request, e.g. `items[0].quantity`.
    pub field: String,
    /// The mistake: names the value and the limit.
    pub detail: String,
}

impl Problem {
    /// A problem of the kind `word`, which becomes the end of its `type`. Long details are cut, since they may repeat the
    /// request.
    pub fn new(status: StatusCode, word: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{}", word.to_lowercase().replace('_', "-")),
            title: title(word),
            status: status.as_u16(),
            detail: printable(&detail.into(), LONGEST_TEXT),
            trace_id: telemetry::trace_id(),
            errors: Vec::new(),
            retry_after: None,
            allow: None,
        }
    }

    /// Adds what is wrong with one part of the request.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, detail: impl Into<String>) -> Self {
        if self.errors.len() < MOST_FIELDS {
            let field = printable(&field.into(), LONGEST_NAME);
            let detail = printable(&detail.into(), LONGEST_TEXT);
            self.errors.push(FieldProblem { field, detail });
        }
        self
    }
}

/// `OUT_OF_STOCK` and `out-of-stock` become `Out of stock`.
fn title(word: &str) -> Cow<'static, str> {
    let words = word.to_lowercase().replace(['_', '-'], " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => Cow::Owned(first.to_uppercase().chain(letters).collect()),
        None => Cow::Borrowed("Error"),
    }
}

fn status(error: &Error) -> StatusCode {
    match error.kind() {
        Kind::Invalid if error.fields().is_empty() => StatusCode::BAD_REQUEST,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::AlreadyExists | Kind::Conflict | Kind::Precondition => StatusCode::CONFLICT,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
        // The client of a cancelled request has gone; but the cancelled call may also be one of ours to another service.
        Kind::Unavailable | Kind::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        Kind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Kind::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = status(&error);
        if error.kind() == Kind::Internal {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a request failed by a mistake of ours"
            );
        }
        let detail = if error.kind() == Kind::Internal {
            "an unexpected error; see the trace"
        } else {
            error.message()
        };
        let mut problem =
            Self::new(status, error.reason_word().unwrap_or(error.kind().label()), detail);
        for field in error.fields() {
            problem = problem.field(&field.name, &field.message);
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            problem.retry_after = Some(1);
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        if self.trace_id.is_none() {
            self.trace_id = telemetry::trace_id();
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, allow);
        }
        // The server does not wait for the rest of the request.
        if status == StatusCode::REQUEST_TIMEOUT {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_its_kind_and_the_parts() {
        let error = Error::new(Kind::Precondition, "not enough in stock")
            .reason("OUT_OF_STOCK")
            .field("items[0]", "7 wanted, 2 available");
        let problem = Problem::from(error);
        assert_eq!((problem.kind.as_str(), problem.status), ("/problems/out-of-stock", 409));
        assert_eq!(problem.title, "Out of stock");
        assert_eq!(problem.errors[0].field, "items[0]");
    }

    #[test]
    fn a_problem_repeats_the_beginning_of_what_was_sent() {
        let long = "a\u{7}".repeat(10_000);
        let problem = Problem::new(StatusCode::NOT_FOUND, "unknown", format!("no cup {long:?}"));
        let problem = (0..1000).fold(problem, |problem, _| problem.field(&long, &long));
        assert!(problem.detail.starts_with("no cup \"a") && problem.detail.ends_with('…'));
        assert!(problem.detail.chars().count() <= LONGEST_TEXT);
        assert_eq!(problem.errors.len(), MOST_FIELDS);
        assert!(problem.errors[0].field.chars().count() <= LONGEST_NAME);
    }

    #[test]
    fn the_message_of_an_internal_error_is_not_in_the_problem() {
        let problem = Problem::from(Error::new(Kind::Internal, "no such column"));
        assert!(!problem.detail.contains("column"));
    }
}
