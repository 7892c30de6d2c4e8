//! Which program answers, and whether it does.

use axum::response::Response;
use serde_json::json;

use super::answer::success;

/// The version of Prometheus whose API this is: Grafana shows features by it.
const VERSION: &str = "3.15.1";

/// `/status/buildinfo`.
pub(super) async fn build() -> Response {
    success(json!({
        "version": VERSION,
        "revision": concat!("lens of glassmesh ", env!("CARGO_PKG_VERSION")),
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// `/-/healthy` and `/-/ready`, which `promtool check` requests.
pub(super) async fn is_up() -> &'static str {
    "lens is healthy and ready.\n"
}
