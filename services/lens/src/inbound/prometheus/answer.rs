//! The envelope of every answer, and errors in Prometheus' format.

use std::convert::Infallible;

use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use promql::Error;
use serde_json::{Value, json};

/// The content type of all answers.
const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// Parts of an answer are joined up to this size before they are sent: a body of many tiny frames costs more than its content.
const CHUNK: usize = 16 * 1024;

/// A successful answer.
pub(super) fn success(data: Value) -> Response {
    axum::Json(json!({ "status": "success", "data": data })).into_response()
}

/// An answer that is JSON already.
pub(super) fn raw(json: String) -> Response {
    (JSON, json).into_response()
}

/// A successful answer with a list that was cut to `limit` items: a warning says so, as in Prometheus. 0 is no limit.
pub(super) fn list<T>(mut items: Vec<T>, limit: usize, write: fn(&T, &mut String)) -> Response
where
    T: Send + 'static,
{
    let is_cut = cut(&mut items, limit);
    let end = if is_cut { format!(r#"],"warnings":["{CUT}"]}}"#) } else { "]}".to_owned() };
    stream(r#"{"status":"success","data":["#.to_owned(), items, write, end)
}

/// The result of a query.
pub(super) fn result<T>(
    kind: &str,
    mut items: Vec<T>,
    limit: usize,
    write: fn(&T, &mut String),
) -> Response
where
    T: Send + 'static,
{
    let is_cut = cut(&mut items, limit);
    let end = if is_cut { format!(r#"]}},"warnings":["{CUT}"]}}"#) } else { "]}}".to_owned() };
    let begin = format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":["#);
    stream(begin, items, write, end)
}

/// Prometheus' own text.
const CUT: &str = "results truncated due to limit";

/// Whether items were left out.
fn cut<T>(items: &mut Vec<T>, limit: usize) -> bool {
    let is_cut = limit > 0 && items.len() > limit;
    if is_cut {
        items.truncate(limit);
    }
    is_cut
}

/// Writes the items as the client reads them: as JSON, a large result would take several times its memory.
fn stream<T>(begin: String, items: Vec<T>, write: fn(&T, &mut String), end: String) -> Response
where
    T: Send + 'static,
{
    let (mut out, mut end, mut separator) = (begin, Some(end), "");
    let mut items = items.into_iter();
    let chunks = std::iter::from_fn(move || {
        end.as_ref()?;
        while out.len() < CHUNK {
            let Some(item) = items.next() else {
                out.push_str(&end.take()?);
                break;
            };
            out.push_str(std::mem::replace(&mut separator, ","));
            write(&item, &mut out);
        }
        Some(Ok::<_, Infallible>(Bytes::from(std::mem::take(&mut out))))
    });
    (JSON, Body::from_stream(stream::iter(chunks))).into_response()
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    kind: Kind,
    message: String,
}

/// Prometheus' words for the kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    BadData,
    Execution,
    Timeout,
    Internal,
    Unavailable,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Refusal {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// An invalid parameter: its name, its value, and what was expected.
    pub(super) fn parameter(name: &str, value: &str, expected: impl std::fmt::Display) -> Self {
        let value: String = value.chars().take(LONGEST_QUOTE).collect();
        Self::new(
            Kind::BadData,
            format!("invalid parameter {name:?}: {value:?}; expected {expected}"),
        )
    }

    /// An error of a query.
    pub(super) fn query(error: &Error) -> Self {
        match error {
            Error::Parse(_) | Error::Unsupported(_) => {
                Self::new(Kind::BadData, format!("invalid parameter \"query\": {error}"))
            }
            Error::Execution(_) | Error::Limit(_) => Self::new(Kind::Execution, error.to_string()),
            Error::Timeout => Self::new(Kind::Timeout, error.to_string()),
        }
    }
}

/// The maximum of characters of a wrong value that an error repeats.
const LONGEST_QUOTE: usize = 200;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body =
            json!({ "status": "error", "errorType": self.kind.label(), "error": self.message });
        (self.kind.status(), axum::Json(body)).into_response()
    }
}
