//! Live updates over WebSocket, on real connections. Every message of the gateway is one that its own types can read.

mod endings;

use chassis::{Error, Kind};
use harness::websocket::WebSocket;
use proto::orders::v1::Status as Wire;
use serde_json::{Value, json};

use super::gateway::{ORDER, TestGateway};
use crate::{
    config::WebSockets,
    inbound::rest::ServerMessage,
    resources::{Reason, Status},
};

/// A client.
struct Client {
    socket: WebSocket,
    /// The epoch of the gateway.
    epoch: String,
}

impl Client {
    async fn open(port: u16) -> Self {
        let mut new = Self { socket: WebSocket::open(port).await, epoch: String::new() };
        let hello = new.next().await;
        assert_eq!(hello["type"], "hello");
        new.epoch = hello["epoch"].as_str().unwrap().to_owned();
        new
    }

    async fn next(&mut self) -> Value {
        let message = self.socket.message().await.unwrap();
        let read: ServerMessage = serde_json::from_value(message.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), message);
        message
    }

    async fn ask(&mut self, message: Value) -> Value {
        self.socket.send(&message).await;
        self.next().await
    }

    async fn subscribe(&mut self, id: &str, to: Value) -> Value {
        self.ask(json!({ "type": "subscribe", "id": id, "to": to })).await
    }

    async fn subscribe_after(&mut self, id: &str, to: Value, epoch: &str, seq: u64) -> Value {
        let after = json!({ "epoch": epoch, "seq": seq });
        self.ask(json!({ "type": "subscribe", "id": id, "to": to, "after": after })).await
    }

    /// The next updates until there are so many, as `all#7 paid`, or `mine#- placed` from a history.
    async fn updates(&mut self, count: usize) -> Vec<String> {
        let mut all = Vec::new();
        while all.len() < count {
            let message = self.next().await;
            assert_eq!(message["type"], "updates", "{message}");
            for update in message["updates"].as_array().unwrap() {
                all.push(short(update));
            }
        }
        all
    }
}

fn short(update: &Value) -> String {
    let ids: Vec<_> =
        update["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let seq = update["seq"].as_u64().map_or("-".to_owned(), |seq| seq.to_string());
    let what = update["status"].as_str().or(update["type"].as_str()).unwrap();
    format!("{}#{seq} {what}", ids.join("+"))
}

fn everything() -> Value {
    json!({ "everything": true })
}

fn small() -> WebSockets {
    WebSockets { connections: 2, subscriptions: 3, updates: 4, ..WebSockets::default() }
}

async fn gateway() -> (TestGateway, u16) {
    let mut gateway = TestGateway::with_websockets(small()).await;
    let port = gateway.serve().await;
    (gateway, port)
}

#[tokio::test]
async fn an_update_is_sent_once_for_all_subscriptions_that_it_concerns() {
    let (gateway, port) = gateway().await;
    let mut client = Client::open(port).await;
    assert_eq!(client.subscribe("all", everything()).await["type"], "subscribed");
    assert_eq!(client.subscribe("guest", json!({ "customer": "guest" })).await["seq"], 0);
    assert_eq!(client.subscribe("bob", json!({ "customer": "bob" })).await["id"], "bob");
    assert_eq!(gateway.metric("mesh_gateway_websocket_connections"), 1.0);
    gateway.updates.status(1, Status::Placed, None);
    gateway.updates.activity("mesh.payments.v1.PaymentDeclined");
    let updates = client.updates(2).await;
    assert_eq!(updates, ["all+guest#1 placed", "all+guest#2 mesh.payments.v1.PaymentDeclined"]);
    assert_eq!(
        client.ask(json!({ "type": "unsubscribe", "id": "all" })).await["type"],
        "unsubscribed"
    );
    gateway.updates.status(2, Status::Cancelled, Some(Reason::PaymentDeclined));
    assert_eq!(client.updates(1).await, ["guest#3 cancelled"]);
    assert_eq!(gateway.metric("mesh_gateway_websocket_updates_sent_total"), 3.0);
}

#[tokio::test]
async fn an_order_begins_with_its_history_and_each_status_comes_once() {
    let (gateway, port) = gateway().await;
    gateway.peers.step(ORDER, Wire::Placed);
    gateway.peers.step(ORDER, Wire::Paid);
    let mut client = Client::open(port).await;
    client
        .socket
        .send(&json!({ "type": "subscribe", "id": "mine", "to": { "order": ORDER } }))
        .await;
    assert_eq!(client.updates(2).await, ["mine#- placed", "mine#- paid"]);
    assert_eq!(client.next().await["type"], "subscribed");
    gateway.updates.status(2, Status::Paid, None);
    gateway.updates.status(3, Status::Dispatched, None);
    assert_eq!(client.updates(1).await, ["mine#2 dispatched"]);
    for status in [Wire::Dispatched, Wire::Completed] {
        gateway.peers.step(ORDER, status);
    }
    gateway.updates.status(9, Status::Completed, None);
    assert_eq!(client.updates(1).await, ["mine#- completed"], "a status is missing: it is read");
}

#[tokio::test]
async fn a_client_that_comes_back_receives_what_it_missed_or_a_gap() {
    let (gateway, port) = gateway().await;
    let mut client = Client::open(port).await;
    client.subscribe("all", everything()).await;
    for revision in 1..=3 {
        gateway.updates.status(revision, Status::Paid, None);
    }
    client.updates(3).await;
    let epoch = client.epoch.clone();
    drop(client);
    gateway.updates.activity("while.it.was.away");
    let mut client = Client::open(port).await;
    client.socket.send(&json!({
        "type": "subscribe", "id": "all", "to": everything(), "after": { "epoch": epoch, "seq": 2 },
    })).await;
    assert_eq!(client.updates(2).await, ["all#3 paid", "all#4 while.it.was.away"]);
    let subscribed = client.next().await;
    assert_eq!((&subscribed["type"], &subscribed["seq"]), (&json!("subscribed"), &json!(4)));
    for _ in 0..3 {
        gateway.updates.activity("later");
    }
    client.updates(3).await;
    for (after, epoch, reason) in
        [(2, &*epoch, "too_old"), (99, &epoch, "too_old"), (7, "another", "other_process")]
    {
        let id = format!("{after}");
        let gap = client.subscribe_after(&id, everything(), epoch, after).await;
        assert_eq!((&gap["type"], &gap["reason"]), (&json!("gap"), &json!(reason)), "{gap}");
        assert!(
            gap["ids"] == json!([id]) && gap["advice"].as_str().unwrap().contains("/api/orders")
        );
        assert_eq!(client.next().await["type"], "subscribed");
        client.ask(json!({ "type": "unsubscribe", "id": id })).await;
    }
    assert_eq!(gateway.metric("mesh_gateway_websocket_gaps_total{reason=\"too_old\"}"), 2.0);
}

#[tokio::test]
async fn after_a_reconnection_to_nats_clients_receive_a_gap_and_orders_are_read_again() {
    let (gateway, port) = gateway().await;
    gateway.peers.step(ORDER, Wire::Placed);
    let mut client = Client::open(port).await;
    client.subscribe("all", everything()).await;
    client
        .socket
        .send(&json!({ "type": "subscribe", "id": "mine", "to": { "order": ORDER } }))
        .await;
    client.updates(1).await;
    client.next().await;
    gateway.peers.step(ORDER, Wire::Paid);
    gateway.updates.interrupt();
    let gap = client.next().await;
    assert_eq!((&gap["reason"], &gap["ids"]), (&json!("lapse"), &json!(["all", "mine"])));
    assert_eq!(client.updates(1).await, ["mine#- paid"]);
    let mut other = Client::open(port).await;
    let gap = other.subscribe_after("all", everything(), &client.epoch, 0).await;
    assert_eq!(gap["reason"], "lapse", "the lapse is among what it missed");
}

#[tokio::test]
async fn without_nats_a_subscription_begins_with_a_gap_and_goes_on_when_nats_is_back() {
    let (gateway, port) = gateway().await;
    gateway.updates.disconnect();
    let mut client = Client::open(port).await;
    let gap = client.subscribe("all", everything()).await;
    assert_eq!((&gap["type"], &gap["reason"]), (&json!("gap"), &json!("lapse")));
    assert_eq!(client.next().await["type"], "subscribed");
    gateway.updates.reconnect();
    assert_eq!(client.next().await["reason"], "lapse", "updates flow from here on");
    gateway.updates.status(1, Status::Placed, None);
    assert_eq!(client.updates(1).await, ["all#2 placed"]);
}

/// Messages that are refused for what they say, with the problem's kind and a part of its text.
fn refused() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (
            json!({ "type": "subscribe", "id": "a", "to": everything() }),
            "duplicate-subscription",
            "\"a\"",
        ),
        (json!({ "type": "unsubscribe", "id": "z" }), "unknown-subscription", "\"z\""),
        (
            json!({ "type": "subscribe", "id": "b", "to": { "order": "7" } }),
            "invalid-argument",
            "UUID",
        ),
        (
            json!({ "type": "subscribe", "id": "b", "to": { "customer": "a.b" } }),
            "invalid-argument",
            "1 to 64",
        ),
        (
            json!({ "type": "subscribe", "id": "b", "to": { "everything": false } }),
            "invalid-argument",
            "true",
        ),
        (
            json!({ "type": "subscribe", "id": "", "to": everything() }),
            "invalid-argument",
            "1 to 64",
        ),
        (
            json!({ "type": "subscribe", "id": "\"", "to": everything() }),
            "invalid-argument",
            "1 to 64",
        ),
        (json!({ "type": "subscribe", "id": "b", "to": {} }), "invalid-message", "asyncapi.json"),
        (
            json!({ "type": "subscribe", "id": "b", "to": { "all": 1 } }),
            "invalid-message",
            "`everything`",
        ),
        (json!({ "type": "ping", "id": "x".repeat(65) }), "invalid-argument", "at most 64"),
        (json!({ "type": "shout" }), "invalid-message", "`subscribe`"),
        (json!(["ping", "1"]), "invalid-message", "an object"),
    ]
}

#[tokio::test]
async fn what_is_refused_names_input_limit_and_fix() {
    let (gateway, port) = gateway().await;
    gateway.peers.step(ORDER, Wire::Placed);
    let mut client = Client::open(port).await;
    client.subscribe("a", everything()).await;
    for (message, kind, says) in refused() {
        let error = client.ask(message.clone()).await;
        assert_eq!(error["type"], "error", "{message}: {error}");
        assert_eq!(error["problem"]["type"], format!("/problems/{kind}"), "{message}: {error}");
        assert!(
            error["problem"].to_string().contains(&says.replace('"', "\\\"")),
            "{message}: {error}"
        );
    }
    let unknown = json!({ "order": "00000000-0000-4000-8000-000000000000" });
    assert_eq!(client.subscribe("b", unknown).await["problem"]["status"], 404);
    gateway.peers.fail("get", || Error::new(Kind::Unavailable, "away"));
    let failed = client.subscribe("b", json!({ "order": ORDER })).await;
    assert_eq!((&failed["id"], &failed["problem"]["status"]), (&json!("b"), &json!(503)));
    client.subscribe("b", everything()).await;
    client.subscribe("c", everything()).await;
    let error = client.subscribe("d", everything()).await;
    assert_eq!(error["problem"]["type"], "/problems/too-many-subscriptions");
    assert!(error["problem"]["detail"].as_str().unwrap().starts_with("3 subscriptions are open"));
    assert_eq!(
        gateway.metric("mesh_gateway_websocket_refused_total{reason=\"subscriptions\"}"),
        1.0
    );
}
