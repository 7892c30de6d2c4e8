//! `/openapi.json`: OpenAPI 3.1, made of the handlers' declarations.

use axum::{
    Extension,
    body::Bytes,
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::{
    OpenApi as _,
    openapi::{
        HeaderBuilder, ObjectBuilder, OpenApi, RefOr,
        extensions::Extensions,
        schema::{SchemaType, Type},
    },
};

use super::{
    live::{LiveEvent, LiveKind},
    refusals::{ProblemDocument, ProblemField},
};
use crate::resources::{Activity, StatusChange};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "glassmesh",
        description = "The front door of a small shop in which everything that happens can be seen. Every answer has the header \
            `traceresponse`; every error is a problem document (RFC 9457) that names its trace.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "Where this document is.")),
    // There is no login.
    security(()),
    tags(
        (name = "products", description = "What the shop sells."),
        (name = "orders", description = "From the click to the doorstep."),
        (name = "about", description = "This description."),
    ),
    components(schemas(ProblemDocument, ProblemField, LiveEvent, LiveKind, StatusChange, Activity)),
)]
struct Begin;

/// The parts of the document that describe the whole API.
pub(super) fn begin() -> OpenApi {
    Begin::openapi()
}

/// The finished document, serialized once, for [`get`].
pub(super) fn json(mut document: OpenApi) -> anyhow::Result<Extension<Document>> {
    for path in document.paths.paths.values_mut() {
        let operations =
            [&mut path.get, &mut path.post, &mut path.put, &mut path.patch, &mut path.delete];
        for operation in operations.into_iter().flatten() {
            for response in operation.responses.responses.values_mut() {
                let RefOr::T(response) = response else { continue };
                let text = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
                let header =
                    HeaderBuilder::new().schema(Some(text)).description(Some(TRACERESPONSE));
                response.headers.insert("traceresponse".into(), header.build().into());
                if let Some(RefOr::T(stream)) = response.content.get_mut(EVENTS) {
                    stream.extensions = Some(Extensions::from_iter([event_schemas()]));
                }
            }
        }
    }
    Ok(Extension(Document(serde_json::to_vec(&document)?.into())))
}

const EVENTS: &str = "text/event-stream";

/// The schema of each kind of event's data. OpenAPI 3.1 cannot describe the items of a stream, so a generated client sees text;
/// 3.2 can, with `itemSchema`.
fn event_schemas() -> (String, serde_json::Value) {
    let of = |name: &str| serde_json::json!({ "$ref": format!("#/components/schemas/{name}") });
    let events = serde_json::json!({
        "item": of("LiveEvent"),
        "data": { "status": of("StatusChange"), "activity": of("Activity") },
    });
    ("x-events".to_owned(), events)
}

const TRACERESPONSE: &str = "The request's trace: <https://www.w3.org/TR/trace-context-2/#traceresponse-header>, if it is recorded.";

/// The serialized document.
#[derive(Clone)]
pub(super) struct Document(Bytes);

/// Read this description
///
/// For people: [/docs/](/docs/).
#[utoipa::path(
    get, path = "/openapi.json", tag = "about", operation_id = "getOpenApi",
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value)),
)]
pub(super) async fn get(Extension(Document(json)): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}
