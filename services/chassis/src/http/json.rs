//! Extractors whose refusals are problem documents.

use axum::{
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use serde::{Serialize, de::DeserializeOwned};

use super::Problem;

/// A JSON body, in or out.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(refused(rejection)),
        }
    }
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
            // "items[0].quantity: invalid type: …": the path is told apart, for programs.
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
        JsonRejection::MissingJsonContentType(_) => Problem::new(
            status,
            "unsupported-media-type",
            "the body must be JSON: content-type: application/json",
        ),
        _ if status == StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            status,
            "payload-too-large",
            "the body is larger than the 65536 bytes that are taken here",
        ),
        _ => Problem::new(status, "unreadable-body", text),
    }
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
