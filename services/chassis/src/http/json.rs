//! Extractors that refuse requests with problem documents.

use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};

use super::Problem;

/// A JSON body of a request or an answer.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if let Some(found) = not_json(request.headers()) {
            let detail = format!("the body must be JSON: content-type: application/json; {found}");
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                detail,
            ));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| unreadable(rejection.status(), &rejection.body_text()))?;
        // Some editors and libraries write a byte order mark at the beginning:
        // <https://www.rfc-editor.org/rfc/rfc8259#section-8.1>
        let text = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&body);
        match axum::Json::<T>::from_bytes(text) {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(refused(rejection)),
        }
    }
}

/// What the headers say instead, if the body is not plain JSON.
fn not_json(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    if let Some(coding) = text(header::CONTENT_ENCODING) {
        let plain = coding.is_empty() || coding.eq_ignore_ascii_case("identity");
        if !plain {
            return Some(format!("it is said to be encoded: content-encoding: {coding}"));
        }
    }
    let Some(kind) = text(header::CONTENT_TYPE) else {
        return Some("it is not said what it is".to_owned());
    };
    let mut parts = kind.split(';').map(|part| part.trim().to_ascii_lowercase());
    let name = parts.next().unwrap_or_default();
    let is_json =
        name == "application/json" || (name.starts_with("application/") && name.ends_with("+json"));
    let mut charsets = parts.filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        (name.trim() == "charset").then(|| value.trim().trim_matches('"').to_owned())
    });
    let is_utf8 = charsets.all(|charset| ["utf-8", "utf8", "us-ascii"].contains(&&*charset));
    (!is_json || !is_utf8).then(|| format!("it is said to be {kind:?}"))
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn refused(rejection: JsonRejection) -> Problem {
    let status = rejection.status();
    let text = rejection.body_text();
    match rejection {
        JsonRejection::JsonSyntaxError(_) => Problem::new(status, "malformed-json", cause(&text)),
        JsonRejection::JsonDataError(_) => {
            // "items[0].quantity: invalid type: …": the path becomes a field of its own, for programs.
            let cause = cause(&text);
            let problem = Problem::new(
                status,
                "invalid-argument",
                "the body is JSON, but not what is expected here",
            );
            match cause.split_once(": ") {
                Some((path, rest)) if is_path(path) => problem.field(path, rest),
                _ => problem.field("body", cause),
            }
        }
        _ => unreadable(status, &text),
    }
}

fn unreadable(status: StatusCode, text: &str) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = "the body is larger than the 65536 bytes that are taken here";
        return Problem::new(status, "payload-too-large", detail);
    }
    Problem::new(status, "unreadable-body", text)
}

/// The text after the library's preamble.
fn cause(text: &str) -> &str {
    text.split_once(": ").map_or(text, |(_, cause)| cause)
}

fn is_path(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|letter| letter.is_alphanumeric() || "_.[]?".contains(letter))
}

/// The query string.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(refused_query(rejection)),
        }
    }
}

fn refused_query(rejection: QueryRejection) -> Problem {
    let text = rejection.body_text();
    let cause = cause(&text);
    let problem = Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-argument",
        "the query string is not what is expected here",
    );
    match cause.split_once(": ") {
        Some((path, rest)) if is_path(path) => problem.field(path, rest),
        _ => problem.field("query", cause),
    }
}

/// The path's parameters.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(failed)) => {
                Err(Problem::new(StatusCode::NOT_FOUND, "not-found", failed.body_text()))
            }
            Err(other) => Err(Problem::new(StatusCode::NOT_FOUND, "not-found", other.body_text())),
        }
    }
}
