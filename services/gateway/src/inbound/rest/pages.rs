//! Pages for people: an index, and the API's documentation. They load nothing from other hosts; the policy forbids it.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use chassis::http::{Path, Problem};
use utoipa_swagger_ui::Config;

use crate::{
    config::FrontDoor,
    inbound::front_door::{Door, doors},
};

const INDEX: &str = include_str!("../../../assets/index.html");
const INDEX_SCRIPT: &str = include_str!("../../../assets/index.js");
const DOCS: &str = include_str!("../../../assets/docs.html");
const DOCS_SCRIPT: &str = include_str!("../../../assets/docs.js");

/// A page may load only resources of this service, and inline styles and images.
const POLICY: [(HeaderName, &str); 2] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// An asset changes only with the binary. An hour saves requests, and is short enough that an old copy is no problem.
const CACHE: &str = "public, max-age=3600";

/// The place in the front page where the servers of the front door are listed.
const DOORS: &str = "<!-- front door -->";

pub(super) fn router(config: &FrontDoor) -> Router {
    let entry = |door: &Door<'_>| {
        let Door { path, purpose, .. } = door;
        format!("<dt><a href=\"{path}/\">{path}/</a></dt>\n      <dd>{purpose}</dd>\n      ")
    };
    let entries: String = doors(config).iter().map(entry).collect();
    let index = Bytes::from(INDEX.replace(DOORS, entries.trim_end()));
    Router::new()
        .route("/", get(move || async move { page(HTML, index) }))
        .route("/index.js", get(|| async { page(SCRIPT, INDEX_SCRIPT) }))
        .route("/docs", get(|| async { Redirect::temporary("/docs/") }))
        .route("/docs/", get(|| async { page(HTML, DOCS) }))
        .route("/docs/{file}", get(asset))
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

fn page(content_type: &'static str, text: impl IntoResponse) -> Response {
    (POLICY, [(header::CONTENT_TYPE, content_type)], text).into_response()
}

/// The files of Swagger UI that the documentation needs. They are stored compressed and sent so; every browser accepts that.
const ASSETS: [&str; 3] = ["favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css"];

async fn asset(Path(file): Path<String>) -> Result<Response, Problem> {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(Arc::default);
    if file == "docs.js" {
        return Ok(page(SCRIPT, DOCS_SCRIPT));
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
    ];
    Ok((POLICY, headers, Body::from(found.bytes)).into_response())
}
