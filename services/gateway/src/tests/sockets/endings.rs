//! How a WebSocket ends, and what it costs when there is none.

use std::time::Duration;

use harness::websocket::{BINARY, FIN, PONG, WebSocket, frame};
use serde_json::json;

use super::{Client, everything, gateway, small};
use crate::{config::WebSockets, resources::Status, tests::gateway::TestGateway};

#[tokio::test]
async fn a_client_that_goes_on_to_be_refused_is_closed() {
    let (gateway, port) = gateway().await;
    let mut client = Client::open(port).await;
    for _ in 0..150 {
        client.socket.send(&json!({ "type": "ping", "id": "1" })).await;
    }
    let mut kinds = Vec::new();
    let close = loop {
        match client.socket.message().await {
            Ok(message) => kinds.push(message["problem"]["type"].as_str().map(str::to_owned)),
            Err(close) => break close,
        }
    };
    assert_eq!(close.0, 1008, "{close:?}");
    assert!(kinds.contains(&None) && kinds.contains(&Some("/problems/too-many-messages".into())));
    assert_eq!(gateway.metric("mesh_gateway_websocket_closed_total{reason=\"unruly\"}"), 1.0);
}

/// The ring of the test has four updates.
#[tokio::test]
async fn a_client_that_falls_out_of_the_ring_is_dropped_with_a_reason() {
    let (gateway, port) = gateway().await;
    let mut client = Client::open(port).await;
    client.subscribe("all", everything()).await;
    for _ in 0..9 {
        gateway.updates.activity("too.fast");
    }
    let (code, reason) = client.socket.message().await.unwrap_err();
    assert_eq!(code, 4002);
    assert_eq!(reason, "slow consumer: connect again, continue after the last update");
    assert_eq!(
        gateway.metric("mesh_gateway_websocket_closed_total{reason=\"slow_consumer\"}"),
        1.0
    );
}

#[tokio::test]
async fn a_connection_beyond_the_maximum_is_closed_until_another_ends() {
    let (gateway, port) = gateway().await;
    let open = [Client::open(port).await, Client::open(port).await];
    let mut refused = WebSocket::open(port).await;
    let (code, reason) = refused.message().await.unwrap_err();
    assert_eq!(code, 1013);
    assert!(reason.starts_with("2 WebSockets are open"), "{reason}");
    drop(open);
    harness::until("a place", || async {
        let mut client = WebSocket::open(port).await;
        client.message().await.ok()
    })
    .await;
    assert!(gateway.metric("mesh_gateway_websocket_closed_total{reason=\"overloaded\"}") >= 1.0);
}

#[tokio::test]
async fn idle_and_dead_clients_are_closed() {
    let moment = Duration::from_millis(200);
    let mut gateway =
        TestGateway::with_websockets(WebSockets { idle: moment, ping: moment, ..small() }).await;
    let port = gateway.serve().await;
    let mut idle = Client::open(port).await;
    assert_eq!(idle.socket.message().await.unwrap_err().0, 4000);
    let mut dead = Client::open(port).await;
    dead.subscribe("all", everything()).await;
    let close = loop {
        // Pings are not answered.
        let frame = dead.socket.frame().await.expect("a close frame");
        if let Some(close) = frame.close() {
            break close;
        }
    };
    assert_eq!(close.0, 4001, "{close:?}");
    for reason in ["idle", "dead"] {
        let series = format!("mesh_gateway_websocket_closed_total{{reason=\"{reason}\"}}");
        assert_eq!(gateway.metric(&series), 1.0, "{reason}");
    }
}

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let moment = Duration::from_millis(500);
    let mut gateway = TestGateway::with_websockets(WebSockets { ping: moment, ..small() }).await;
    let port = gateway.serve().await;
    let mut client = Client::open(port).await;
    client.subscribe("all", everything()).await;
    // Without answers, it would be dead at the second.
    for _ in 0..4 {
        let ping = client.socket.frame().await.expect("a ping");
        assert_eq!(ping.first & 0xf, 9);
        client.socket.write(&frame(FIN | PONG, &ping.payload)).await;
    }
    gateway.updates.status(1, Status::Placed, None);
    assert_eq!(client.updates(1).await, ["all#1 placed"]);
}

#[tokio::test]
async fn a_gateway_that_drains_closes_with_1001_and_a_reason() {
    let (gateway, port) = gateway().await;
    let mut client = Client::open(port).await;
    client.subscribe("all", everything()).await;
    gateway.draining.cancel();
    let (code, reason) = client.socket.message().await.unwrap_err();
    assert_eq!((code, reason.as_str()), (1001, "the gateway stops; connect again"));
}

#[tokio::test]
async fn binary_messages_are_refused() {
    let (_gateway, port) = gateway().await;
    let mut client = Client::open(port).await;
    client.socket.write(&frame(FIN | BINARY, b"{}")).await;
    assert_eq!(client.socket.message().await.unwrap_err().0, 1003);
}

/// There is a subscription to NATS only while there are clients, and for a while afterwards.
#[tokio::test]
async fn without_clients_nothing_is_received() {
    let grace = Duration::from_millis(50);
    let mut gateway = TestGateway::with_websockets(WebSockets { grace, ..small() }).await;
    let port = gateway.serve().await;
    assert_eq!(gateway.updates.subscribers(), 0);
    let mut client = Client::open(port).await;
    client.subscribe("all", everything()).await;
    assert_eq!(gateway.updates.subscribers(), 1);
    gateway.updates.status(1, Status::Placed, None);
    client.updates(1).await;
    let epoch = client.epoch.clone();
    drop(client);
    let none = || async { (gateway.updates.subscribers() == 0).then_some(()) };
    harness::until("the end of the subscription", none).await;
    let mut client = Client::open(port).await;
    let gap = client.subscribe_after("all", everything(), &epoch, 1).await;
    assert_eq!(gap["reason"], "too_old", "updates in between were not received");
}
