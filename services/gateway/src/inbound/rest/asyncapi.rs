//! `/asyncapi.json`: AsyncAPI 3.0, made of the types of the messages on `/api/live`, with an example of each.

use axum::{
    Extension,
    body::Bytes,
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::socket::{CODES, ClientMessage, ServerMessage, client_examples, server_examples};

/// The schemas of the messages, with those that they refer to.
#[derive(OpenApi)]
#[openapi(components(schemas(ClientMessage, ServerMessage)))]
struct Schemas;

/// Which messages answer which.
const REPLIES: [(&str, &[&str]); 3] = [
    ("subscribe", &["updates", "gap", "subscribed", "error"]),
    ("unsubscribe", &["unsubscribed", "error"]),
    ("ping", &["pong", "error"]),
];

/// The finished document, serialized once, for [`get`].
pub(super) fn serialized() -> anyhow::Result<Extension<Serialized>> {
    Ok(Extension(Serialized(serde_json::to_vec(&document()?)?.into())))
}

/// The document.
pub(super) fn document() -> anyhow::Result<Value> {
    let mut schemas = serde_json::to_value(Schemas::openapi())?["components"]["schemas"].take();
    let mut messages = Map::new();
    let mut operations = Map::new();
    for (direction, action, examples) in [
        ("ClientMessage", "receive", client_examples()),
        ("ServerMessage", "send", server_examples()),
    ] {
        let variants = schemas[direction]["oneOf"].take();
        for variant in variants.as_array().into_iter().flatten() {
            let Some(name) = kind(variant) else { continue };
            let all = examples.iter().filter(|(_, payload)| payload["type"] == name);
            let all = all.map(|(name, payload)| json!({ "name": name, "payload": payload }));
            messages.insert(name.to_owned(), message(name, variant, all.collect()));
            operations.insert(operation(action, name), described(action, name));
        }
        schemas.as_object_mut().map(|schemas| schemas.remove(direction));
    }
    let names: Map<_, _> = messages.keys().map(|name| (name.clone(), component(name))).collect();
    Ok(json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "glassmesh: live updates",
            "version": env!("CARGO_PKG_VERSION"),
            "description": description(),
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": { "gateway": {
            "host": "{host}",
            "protocol": "ws",
            "description": "The server of this document.",
            "variables": { "host": { "default": "127.0.0.1:8080" } },
        } },
        "channels": { "live": {
            "address": "/api/live",
            "title": "Live updates of orders",
            "messages": names,
            "bindings": { "ws": { "method": "GET", "bindingVersion": "0.1.0" } },
        } },
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas },
    }))
}

/// The value of `type` in a variant's schema: in the schema itself, or in one of its parts.
fn kind(variant: &Value) -> Option<&str> {
    let parts = variant["allOf"].as_array().into_iter().flatten().chain([variant]);
    parts.filter_map(|part| part["properties"]["type"]["enum"][0].as_str()).next()
}

fn component(name: &str) -> Value {
    json!({ "$ref": format!("#/components/messages/{name}") })
}

fn of_channel(name: &str) -> Value {
    json!({ "$ref": format!("#/channels/live/messages/{name}") })
}

fn message(name: &str, variant: &Value, examples: Vec<Value>) -> Value {
    let mut payload = variant.clone();
    let text = payload.as_object_mut().and_then(|payload| payload.remove("description"));
    let text = text.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default();
    let summary = text.split_inclusive('.').next().unwrap_or_default();
    json!({
        "name": name,
        "title": name,
        "summary": summary,
        "description": text,
        "payload": payload,
        "examples": examples,
    })
}

fn operation(action: &str, name: &str) -> String {
    format!("{action}_{name}")
}

/// An operation, as the gateway sees it: it receives what clients send.
fn described(action: &str, name: &str) -> Value {
    let channel = json!({ "$ref": "#/channels/live" });
    let mut operation =
        json!({ "action": action, "channel": channel, "messages": [of_channel(name)] });
    if let Some((_, replies)) = REPLIES.iter().find(|(asked, _)| *asked == name) {
        let replies: Vec<_> = replies.iter().map(|reply| of_channel(reply)).collect();
        operation["reply"] = json!({ "channel": channel, "messages": replies });
    }
    operation
}

fn description() -> String {
    let codes: String = CODES.iter().map(|(code, when)| format!("| {code} | {when} |\n")).collect();
    format!(
        "What happens to orders, over WebSocket: each message is a JSON text. Updates are numbered by the process of the \
         gateway (`epoch`); a client that comes back sends the number of its last update with `subscribe`, and receives what \
         it missed, or `gap`. Protocol pings are answered by every WebSocket client; `ping` in JSON is for the clock.\n\n\
         | close code | when |\n|---|---|\n{codes}"
    )
}

/// The serialized document.
#[derive(Clone)]
pub(super) struct Serialized(Bytes);

/// Read the document of `/api/live`
///
/// Every message on the WebSocket, in both directions, with examples.
#[utoipa::path(
    get, path = "/asyncapi.json", tag = "about", operation_id = "getAsyncApi",
    responses((status = 200, description = "AsyncAPI 3.0.", body = Value)),
)]
pub(super) async fn get(Extension(Serialized(json)): Extension<Serialized>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}
