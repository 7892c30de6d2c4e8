//! The guard of everything that changes the mesh through lens: replaying an event, a log level.
//!
//! A request that changes something must be allowed by `lens.operate.enabled`, and must not come from a web page of another
//! origin. The front door passes the browser's `Host`, `Origin` and `Sec-Fetch-Site` on, so that both see the same page.

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::http::{Guard, Json, Problem};
use serde_json::json;

use crate::config;

/// Decides which requests may change something; cheap to clone.
#[derive(Clone)]
pub(crate) struct Operate {
    enabled: bool,
    guard: Guard,
}

impl Operate {
    /// `guard` is that of the port: it knows the names of this server, and the pages that may use it.
    pub(crate) fn new(config: &config::Operate, guard: Guard) -> Self {
        Self { enabled: config.enabled, guard }
    }

    /// The router behind the guard. Requests with `GET` or `HEAD` pass: they change nothing.
    pub(crate) fn around<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        router.route_layer(middleware::from_fn_with_state(self.clone(), guarded))
    }

    /// The router behind the check of the origin alone, for requests with any method: they change nothing, but cost something.
    pub(crate) fn only_own_pages(&self, router: Router) -> Router {
        router.route_layer(middleware::from_fn_with_state(self.clone(), only_own_pages))
    }

    /// Checks whether the request may change something.
    ///
    /// # Errors
    /// The setting forbids it, or a web page of another origin has sent it.
    pub(crate) fn check(&self, request: &Parts) -> Result<(), Box<Problem>> {
        if matches!(request.method, Method::GET | Method::HEAD) {
            return Ok(());
        }
        self.guard.check(request)?;
        if self.enabled {
            return Ok(());
        }
        let detail = "this lens only reads; set lens.operate.enabled to true (MESH_LENS__OPERATE__ENABLED=true) to let it \
                      change something, where only operators can reach it";
        Err(Box::new(Problem::new(StatusCode::FORBIDDEN, "operate-disabled", detail)))
    }
}

/// `/lens/v1/operate` says whether this lens may change something: a page need not offer what would be refused.
pub(crate) fn routes(operate: &Operate) -> Router {
    let enabled = operate.enabled;
    let answer = move || async move { Json(json!({ "enabled": enabled })) };
    operate.around(Router::new().route("/lens/v1/operate", get(answer)))
}

async fn guarded(State(operate): State<Operate>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match operate.check(&parts) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

async fn only_own_pages(State(operate): State<Operate>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match operate.guard.check_costly(&parts) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};
    use chassis::http::GuardSettings;
    use tower::ServiceExt;

    use super::*;

    async fn status(enabled: bool, method: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let guard = Guard::new("lens", &GuardSettings::default());
        let operate = Operate::new(&config::Operate { enabled }, guard);
        let router =
            operate.around(Router::new().route("/level", get(|| async {}).put(|| async {})));
        let mut request = Request::builder().method(method).uri("/level");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_page_of_this_origin_and_a_script_may_change_something_and_another_page_may_not() {
        let host = ("host", "localhost:8080");
        let own = [host, ("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")];
        assert_eq!(status(true, "PUT", &own).await.0, 200);
        assert_eq!(status(true, "PUT", &[host]).await.0, 200, "curl");
        for foreign in [
            [host, ("origin", "http://evil.example")],
            [host, ("origin", "null")],
            [host, ("sec-fetch-site", "cross-site")],
            [host, ("sec-fetch-site", "same-site")],
        ] {
            let (refused, text) = status(true, "PUT", &foreign).await;
            assert_eq!(refused, 403, "{foreign:?}");
            assert!(text.contains("/problems/foreign-origin"), "{text}");
        }
    }

    #[tokio::test]
    async fn without_the_setting_everything_can_be_read_and_nothing_changed() {
        let host = ("host", "localhost:8080");
        assert_eq!(status(false, "GET", &[host]).await.0, 200);
        let (refused, text) = status(false, "PUT", &[host]).await;
        assert_eq!(refused, 403);
        assert!(text.contains("MESH_LENS__OPERATE__ENABLED=true"), "{text}");
    }
}
