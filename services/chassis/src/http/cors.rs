//! The headers that allow a page of another origin to read answers: <https://fetch.spec.whatwg.org/#http-cors-protocol>
//!
//! They are set only for the origins in `http.origins`; by default there are none, and no answer has any of these headers.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::Guard;

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// Headers that a page may read in addition to the safelisted ones: where an order is, when to retry, which trace it was.
const EXPOSED: &str = "location, retry-after, traceresponse";
/// The seconds for which a browser caches the answer to a preflight request.
const REMEMBERED: &str = "600";

/// The router with these headers, for the origins that the guard allows.
pub(super) fn around(router: Router, guard: Guard) -> Router {
    if !guard.knows_origins() {
        return router;
    }
    router.layer(middleware::from_fn_with_state(guard, answer))
}

async fn answer(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let origin = headers.get(header::ORIGIN).filter(|origin| guard.may_use(origin)).cloned();
    let asks = request.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = match &origin {
        Some(_) if asks => preflight(wanted),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    response
}

fn preflight(wanted: Option<HeaderValue>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED));
    if let Some(wanted) = wanted {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    }
    (StatusCode::NO_CONTENT, headers).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::post};
    use tower::ServiceExt;

    use super::*;
    use crate::http::GuardSettings;

    async fn ask(origins: &str, method: &str, origin: &str) -> (u16, HeaderMap) {
        let settings = GuardSettings { origins: origins.into(), ..GuardSettings::default() };
        let router = Router::new().route("/", post(|| async { "tea" }));
        let router = around(router, Guard::new("teapot", &settings));
        let request = Request::builder().method(method).uri("/").header("origin", origin);
        let request = match method {
            "OPTIONS" => request
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "content-type,idempotency-key"),
            _ => request,
        };
        let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        (answer.status().as_u16(), answer.headers().clone())
    }

    #[tokio::test]
    async fn a_page_of_a_named_origin_may_ask_and_read() {
        let origin = "https://admin.example.com";
        let (status, headers) = ask(origin, "OPTIONS", origin).await;
        assert_eq!(
            (status, &headers["access-control-allow-origin"]),
            (204, &origin.parse().unwrap())
        );
        assert_eq!(headers["access-control-allow-headers"], "content-type,idempotency-key");
        let (status, headers) = ask(origin, "POST", origin).await;
        assert_eq!(
            (status, &headers["access-control-allow-origin"]),
            (200, &origin.parse().unwrap())
        );
        assert_eq!(headers["vary"], "origin");
    }

    #[tokio::test]
    async fn a_page_of_another_origin_gets_no_cors_headers() {
        for origins in ["", "https://admin.example.com"] {
            let (status, headers) = ask(origins, "OPTIONS", "https://evil.example").await;
            assert_eq!(status, 405, "{origins:?}");
            assert!(!headers.contains_key("access-control-allow-origin"), "{origins:?}");
        }
    }
}
