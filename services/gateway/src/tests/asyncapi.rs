//! The AsyncAPI document has every message that the code accepts or sends, and its examples are messages of the code.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::gateway::TestGateway;
use crate::inbound::rest::{ClientMessage, ServerMessage};

async fn document() -> Value {
    let answer = TestGateway::new().await.get("/asyncapi.json").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    answer.body
}

fn messages<'a>(document: &'a Value, action: &str) -> Vec<&'a str> {
    let operations = document["operations"].as_object().unwrap().values();
    let of_action = operations.filter(|operation| operation["action"] == action);
    let references = of_action.map(|operation| operation["messages"][0]["$ref"].as_str().unwrap());
    references.map(|reference| reference.rsplit('/').next().unwrap()).collect()
}

#[tokio::test]
async fn the_document_has_every_message_of_both_directions() {
    let document = document().await;
    assert_eq!(document["asyncapi"], "3.0.0");
    assert_eq!(document["channels"]["live"]["address"], "/api/live");
    assert_eq!(messages(&document, "receive"), ["ping", "subscribe", "unsubscribe"]);
    let sent = ["error", "gap", "hello", "pong", "subscribed", "unsubscribed", "updates"];
    assert_eq!(messages(&document, "send"), sent);
    let all: BTreeSet<_> = document["components"]["messages"].as_object().unwrap().keys().collect();
    let channel: BTreeSet<_> =
        document["channels"]["live"]["messages"].as_object().unwrap().keys().collect();
    assert_eq!((all.len(), &all), (10, &channel));
}

#[tokio::test]
async fn every_example_is_a_message_of_the_code() {
    let document = document().await;
    for (name, message) in document["components"]["messages"].as_object().unwrap() {
        let examples = message["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples.iter().map(|example| &example["payload"]) {
            assert_eq!(example["type"], name.as_str());
            if messages(&document, "receive").contains(&name.as_str()) {
                let read: ClientMessage = serde_json::from_value(example.clone()).unwrap();
                assert_eq!(&serde_json::to_value(read).unwrap(), example);
            } else {
                let read: ServerMessage = serde_json::from_value(example.clone()).unwrap();
                assert_eq!(&serde_json::to_value(read).unwrap(), example);
            }
        }
    }
}

#[tokio::test]
async fn every_reference_of_the_document_resolves() {
    let document = document().await;
    let mut waiting = vec![&document];
    let mut references = 0;
    while let Some(value) = waiting.pop() {
        if let Some(reference) = value["$ref"].as_str() {
            references += 1;
            let found = document.pointer(reference.trim_start_matches('#'));
            assert!(found.is_some(), "{reference}");
        }
        waiting.extend(value.as_array().into_iter().flatten());
        waiting.extend(value.as_object().into_iter().flat_map(|object| object.values()));
    }
    assert!(references > 30, "{references}");
}

/// A kind of message that the code does not have is not accepted.
#[test]
fn an_unknown_message_is_not_read() {
    for bad in [json!({ "type": "hello" }), json!({}), json!({ "type": "ping", "id": "1", "x": 1 })]
    {
        assert!(serde_json::from_value::<ClientMessage>(bad.clone()).is_err(), "{bad}");
    }
}
