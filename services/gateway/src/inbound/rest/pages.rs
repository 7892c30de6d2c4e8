//! Pages for people: the console, and the API's documentation. They load nothing from other hosts; the policy forbids it.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
    routing::get,
};
use chassis::http::{Json, Path, Problem};
use serde_json::json;
use utoipa_swagger_ui::Config;

use crate::{
    config::FrontDoor,
    console::{Console, File},
    inbound::front_door::{Door, doors},
};

const DOCS: &str = include_str!("../../../assets/docs.html");
const DOCS_SCRIPT: &str = include_str!("../../../assets/docs.js");

/// The console may load resources of this service only, and nothing inline. The two policies of trusted types are that of lit-html,
/// whose templates are texts of its modules, and the console's own for the address of a script beside its modules.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types lit-html assets";

/// Swagger UI sets styles and images inline.
const DOCS_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    frame-ancestors 'none'";

const NOSNIFF: (HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");

/// An asset of the documentation changes only with the binary. An hour saves requests, and is short enough that an old copy is no
/// problem.
const CACHE: &str = "public, max-age=3600";

pub(super) fn router(front_door: &FrontDoor, console: Console) -> Router {
    let about = about(front_door);
    let console = Arc::new(console);
    let index = Arc::clone(&console);
    Router::new()
        .route("/", get(move || async move { page(&index) }))
        .route(
            "/assets/{version}/{*name}",
            get(move |Path((version, name)): Path<(String, String)>, headers: HeaderMap| async move {
                file(&console, &version, &name, &headers)
            }),
        )
        .route("/console.json", get(move || async move { about }))
        .route("/docs", get(|| async { Redirect::temporary("/docs/") }))
        .route("/docs/", get(|| async { docs(HTML, DOCS) }))
        .route("/docs/{file}", get(asset))
}

/// What the console finds behind this gateway.
fn about(front_door: &FrontDoor) -> Json<serde_json::Value> {
    let doors = doors(front_door);
    let doors =
        doors.iter().map(|Door { path, purpose, .. }| json!({ "path": path, "purpose": purpose }));
    let has = |upstream: &crate::config::Upstream| upstream.base().is_some();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "doors": doors.collect::<Vec<_>>(),
        // Without one, lens answers at its path.
        "prometheus": has(&front_door.prometheus),
        // Without one, log lines are those of lens.
        "loki": has(&front_door.loki),
    }))
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

fn page(console: &Console) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HTML),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
        NOSNIFF,
    ];
    match console.index() {
        Ok(index) => (headers, index).into_response(),
        Err(error) => unreadable("index.html", &error),
    }
}

fn file(console: &Console, version: &str, name: &str, headers: &HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let accepts_gzip = accepted.is_some_and(|accepted| accepted.contains("gzip"));
    let packed = if version == console.version() { console.file(name) } else { Ok(None) };
    let found = match packed {
        Ok(Some(file)) if file.is_gzip && !accepts_gzip => file.unpacked().map(Some),
        other => other,
    };
    match found {
        Ok(Some(file)) => sent(file, console.is_immutable()),
        Ok(None) => {
            let text = format!("no file {name:?} in this version of the console; load / again");
            Problem::new(StatusCode::NOT_FOUND, "not-found", text).into_response()
        }
        Err(error) => unreadable(name, &error),
    }
}

fn sent(File { kind, contents, is_gzip }: File, is_immutable: bool) -> Response {
    let cache = if is_immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "accept-encoding"),
        NOSNIFF,
    ];
    let body = match contents {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let encoding = is_gzip.then_some([(header::CONTENT_ENCODING, "gzip")]);
    (encoding.map(AppendHeaders), headers, Body::from(body)).into_response()
}

fn unreadable(name: &str, error: &std::io::Error) -> Response {
    let text = format!("the file {name:?} of the console cannot be read: {error}");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", text).into_response()
}

fn docs(content_type: &'static str, text: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, DOCS_POLICY),
        NOSNIFF,
    ];
    (headers, text).into_response()
}

/// The files of Swagger UI that the documentation needs. They are stored compressed and sent so; every browser accepts that.
const ASSETS: [&str; 3] = ["favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css"];

async fn asset(Path(file): Path<String>) -> Result<Response, Problem> {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(Arc::default);
    if file == "docs.js" {
        return Ok(docs(SCRIPT, DOCS_SCRIPT));
    }
    let missing = || {
        Problem::new(StatusCode::NOT_FOUND, "not-found", format!("no file {file:?}; see /docs/"))
    };
    let known = ASSETS.into_iter().find(|name| *name == file).ok_or_else(missing)?;
    let found =
        utoipa_swagger_ui::serve(known, Arc::clone(&CONFIG)).ok().flatten().ok_or_else(missing)?;
    let headers = [
        (header::CONTENT_TYPE, found.content_type),
        (header::CONTENT_ENCODING, if found.gzpipped { "gzip" } else { "identity" }.to_owned()),
        (header::CACHE_CONTROL, CACHE.to_owned()),
        (header::CONTENT_SECURITY_POLICY, DOCS_POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, Body::from(found.bytes)).into_response())
}
