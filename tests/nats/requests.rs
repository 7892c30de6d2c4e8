//! Requests and replies.

use async_nats::{ConnectOptions, RequestErrorKind};
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::server::{Server, delivered, payloads, settled};

/// Answers every message on `subject` with its own payload, until the set is dropped.
async fn echoes(client: &async_nats::Client, subject: &'static str) -> JoinSet<()> {
    let mut requests = client.subscribe(subject).await.unwrap();
    settled(client).await;
    let client = client.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(request) = requests.next().await {
            client.publish(request.reply.unwrap(), request.payload).await.unwrap();
        }
    });
    tasks
}

pub(crate) async fn a_request_is_answered(server: Server) {
    let (asker, answerer) = (server.connect().await, server.connect().await);
    let _answers = echoes(&answerer, "echo").await;
    for number in 0..500 {
        let reply = asker.request("echo", number.to_string().into()).await.unwrap();
        assert_eq!(reply.payload, number.to_string());
    }
}

pub(crate) async fn a_request_to_the_own_connection_is_answered(server: Server) {
    let client = server.connect().await;
    let _answers = echoes(&client, "echo").await;
    assert_eq!(client.request("echo", "me".into()).await.unwrap().payload, "me");
}

pub(crate) async fn a_request_without_responders_fails_at_once(server: Server) {
    // The client's own time limit is 10 s, and has another error.
    let error = server.connect().await.request("no.responder", "hello?".into()).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::NoResponders);
}

pub(crate) async fn without_echo_own_messages_are_not_delivered(server: Server) {
    let other = server.connect().await;
    let client = ConnectOptions::new().no_echo().connect(server.url()).await.unwrap();
    let mut both = client.subscribe("diary").await.unwrap();
    // The error comes from the server and is not an echo. It is the only round trip that such a client has.
    let settled = async || client.request("no.responder", "".into()).await.unwrap_err().kind();
    assert_eq!(settled().await, RequestErrorKind::NoResponders);

    client.publish("diary", "own".into()).await.unwrap();
    assert_eq!(settled().await, RequestErrorKind::NoResponders);
    other.publish("diary", "other's".into()).await.unwrap();
    delivered(&other, &other).await;
    assert_eq!(settled().await, RequestErrorKind::NoResponders);
    assert_eq!(payloads(&mut both), ["other's"]);
}
