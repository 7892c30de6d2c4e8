//! `/openapi.json`: OpenAPI 3.1, made of the handlers' declarations.

use axum::{
    Extension,
    body::Bytes,
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

use super::{
    live::{LiveEvent, LiveKind},
    problems::{ProblemDocument, ProblemField},
};
use crate::{
    limits::{IdempotencyKey, PageCursor, PageSize, Words},
    requests::NewItem,
    resources::{Activity, StatusChange},
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "glassmesh",
        description = "The public API of a small shop whose services show everything that they do. Every answer has the header \
            `traceresponse`; every error is a problem document (RFC 9457) that names its trace.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "The server of this document.")),
    // There is no login.
    security(()),
    tags(
        (name = "products", description = "The products of the shop."),
        (name = "orders", description = "Orders, from placing to delivery."),
        (name = "telemetry", description = "What the console measures in the browser."),
        (name = "about", description = "This document."),
    ),
    components(schemas(
        ProblemDocument, ProblemField, LiveEvent, LiveKind, StatusChange, Activity, NewItem, IdempotencyKey, PageCursor, PageSize, Words,
    )),
)]
pub(super) struct Document;

/// The finished document, serialized once, for [`get`].
pub(super) fn serialized(document: &OpenApi) -> anyhow::Result<Extension<Serialized>> {
    let mut document = serde_json::to_value(document)?;
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let operations = paths.filter_map(Value::as_object_mut).flat_map(|path| path.values_mut());
    let responses = operations.filter_map(|operation| operation["responses"].as_object_mut());
    for response in responses.flat_map(|responses| responses.values_mut()) {
        response["headers"]["traceresponse"] =
            json!({ "description": TRACERESPONSE, "schema": { "type": "string" } });
        if let Some(stream) = response.pointer_mut("/content/text~1event-stream") {
            stream["x-events"] = event_schemas();
        }
    }
    Ok(Extension(Serialized(serde_json::to_vec(&document)?.into())))
}

const TRACERESPONSE: &str = "The request's trace: <https://www.w3.org/TR/trace-context-2/#traceresponse-header>, if it is recorded.";

/// The schema of each kind of event's data. OpenAPI 3.1 cannot describe the items of a stream, so a generated client sees text;
/// 3.2 can, with `itemSchema`.
fn event_schemas() -> Value {
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    json!({
        "item": schema("LiveEvent"),
        "data": { "status": schema("StatusChange"), "activity": schema("Activity") },
    })
}

/// The serialized document.
#[derive(Clone)]
pub(super) struct Serialized(Bytes);

/// Read this document
///
/// [/docs/](/docs/) shows it for people.
#[utoipa::path(
    get, path = "/openapi.json", tag = "about", operation_id = "getOpenApi",
    responses((status = 200, description = "OpenAPI 3.1.", body = Value)),
)]
pub(super) async fn get(Extension(Serialized(json)): Extension<Serialized>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}
