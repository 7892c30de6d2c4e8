//! Turns errors that libraries answer in plain text, or without a body, into problem documents.

use axum::{
    Router,
    body::{HttpBody, to_bytes},
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};

use super::Problem;

/// Bytes: more than any library's error text has.
const LONGEST: usize = 4096;

/// The router, with all its errors as problem documents.
pub(crate) fn with_problems(router: Router) -> Router {
    router.layer(middleware::from_fn(async |request: Request, next: Next| {
        as_problem(next.run(request).await).await
    }))
}

/// The answer, as a problem document if it is an error in plain text or without a body.
pub(super) async fn as_problem(response: Response) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let is_plain = match response.headers().get(header::CONTENT_TYPE) {
        Some(kind) => kind.as_bytes().starts_with(b"text/plain"),
        None => response.body().is_end_stream(),
    };
    if !is_plain {
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, LONGEST).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let reason = status.canonical_reason().unwrap_or("error").to_lowercase();
    let detail = if text.is_empty() { reason.as_str() } else { text.trim_end() };
    let problem = Problem::new(status, &reason.replace(' ', "-"), detail).into_response();
    keeping(parts.headers, problem)
}

/// Keeps the other headers of the answer, such as the methods that a path allows.
fn keeping(headers: HeaderMap, mut problem: Response) -> Response {
    let of_body = [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING];
    for (name, value) in &headers {
        if !of_body.contains(name) {
            problem.headers_mut().append(name, value.clone());
        }
    }
    problem
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        extract::{Path, Query},
        routing::get,
    };
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;

    #[derive(serde::Deserialize)]
    struct Length {
        seconds: u8,
    }

    #[tokio::test]
    async fn what_a_library_refuses_is_a_problem_document() {
        let router = Router::new()
            .route("/length", get(async |Query(length): Query<Length>| length.seconds.to_string()))
            .route("/of/{number}", get(async |Path(number): Path<u8>| number.to_string()));
        let router = with_problems(router);
        for (method, path, status, word) in [
            ("GET", "/length?seconds=x", 400, "/problems/bad-request"),
            ("GET", "/of/x", 400, "/problems/bad-request"),
            ("POST", "/length?seconds=1", 405, "/problems/method-not-allowed"),
            ("GET", "/nowhere", 404, "/problems/not-found"),
        ] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(answer.headers()["content-type"], super::super::PROBLEM, "{path}");
            assert_eq!(answer.headers().contains_key("allow"), status == 405, "{path}");
            let body = to_bytes(answer.into_body(), LONGEST).await.unwrap();
            let problem: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["type"], word, "{problem}");
            assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
        }
        let request = Request::get("/of/7").body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    }
}
