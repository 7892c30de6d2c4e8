//! Announces the end of idle connections.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use http::{HeaderValue, Version, header};
use tokio_util::sync::CancellationToken;

/// The router; while draining, its responses carry `Connection: close`.
///
/// Otherwise a server that stops closes idle connections, and a request that arrives at that moment is lost: its client does
/// not know whether it was handled. With the header, clients leave the connection first. HTTP/2 does not need it: its server
/// says which request was the last one (GOAWAY).
///
/// <https://www.rfc-editor.org/rfc/rfc9112#section-9.6>
pub(crate) fn connection_close(router: Router, draining: CancellationToken) -> Router {
    router.layer(middleware::from_fn_with_state(draining, announce))
}

async fn announce(
    State(draining): State<CancellationToken>,
    request: Request,
    next: Next,
) -> Response {
    let announced = request.version() <= Version::HTTP_11;
    let mut response = next.run(request).await;
    if announced && draining.is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
