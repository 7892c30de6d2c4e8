//! Properties of the embedded server only: its limits, its statistics, its end.

use std::time::Duration;

use embedded_nats::{Limits, Server, Statistics};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::server::{PATIENCE, free_address, settled, until};

async fn start(limits: Limits) -> Server {
    Server::start(([127, 0, 0, 1], 0).into(), limits).await.unwrap()
}

async fn read_to_end(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut text)).await.expect("an end").unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_client_without_pong_is_closed_after_two_pings() {
    let server =
        start(Limits { ping_interval: Duration::from_millis(20), ..Limits::default() }).await;
    let silent = TcpStream::connect(server.address()).await.unwrap();
    let heard = read_to_end(silent).await;
    let (_, after_greeting) = heard.split_once("\r\n").unwrap();
    assert_eq!(after_greeting, "PING\r\nPING\r\n-ERR 'Stale Connection'\r\n");
}

/// Publishes to a subscriber that never reads, until the server closes its connection.
async fn exhaust(limits: Limits) {
    let server = start(limits).await;
    let mut sleeper = TcpStream::connect(server.address()).await.unwrap();
    sleeper.write_all(b"CONNECT {\"verbose\":false}\r\nSUB news 1\r\n").await.unwrap();
    until("it is subscribed", async || server.statistics().subscriptions == 1).await;
    let shop = async_nats::connect(server.address().to_string()).await.unwrap();
    until("it is cut off", async || {
        shop.publish("news", vec![b'x'; 1_000_000].into()).await.unwrap();
        settled(&shop).await;
        server.statistics().slow_consumers == 1
    })
    .await;
    until("only the shop is there", async || server.statistics().connections == 1).await;
    let error = shop.request("news", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), async_nats::RequestErrorKind::NoResponders);
}

#[tokio::test]
async fn a_client_that_reads_too_slowly_is_a_slow_consumer() {
    exhaust(Limits {
        write_deadline: Duration::from_millis(50),
        max_pending: usize::MAX,
        ..Limits::default()
    })
    .await;
}

#[tokio::test]
async fn a_client_with_too_much_pending_output_is_a_slow_consumer() {
    exhaust(Limits { write_deadline: PATIENCE * 10, max_pending: 4 << 20, ..Limits::default() })
        .await;
}

#[tokio::test]
async fn a_subscription_that_ended_by_itself_is_forgotten() {
    let server = start(Limits::default()).await;
    let client = async_nats::connect(server.address().to_string()).await.unwrap();
    let mut once = client.subscribe("once").await.unwrap();
    once.unsubscribe_after(1).await.unwrap();
    settled(&client).await;
    client.publish("once", "".into()).await.unwrap();
    settled(&client).await;
    until("it is gone", async || server.statistics().subscriptions == 0).await;
}

#[tokio::test]
async fn messages_bytes_and_connections_are_counted() {
    let server = start(Limits::default()).await;
    let client = async_nats::connect(server.address().to_string()).await.unwrap();
    let _first = client.subscribe("a").await.unwrap();
    let _second = client.subscribe("*").await.unwrap();
    client.publish("a", "12345".into()).await.unwrap();
    client.publish("no.subscriber", "123".into()).await.unwrap();
    let _no_responder = client.request("no.responder", "".into()).await.unwrap_err();
    let expected = Statistics {
        connections: 1,
        subscriptions: 3,
        messages_in: 3,
        bytes_in: 8,
        messages_out: 3,
        bytes_out: 26,
        pending_bytes: 0,
        slow_consumers: 0,
    };
    until("everything was sent", async || server.statistics().pending_bytes == 0).await;
    assert_eq!(server.statistics(), expected);
}

#[tokio::test]
async fn a_stopped_server_closes_its_connections_and_port() {
    let address = free_address();
    let server = Server::start(address, Limits::default()).await.unwrap();
    let caller = TcpStream::connect(address).await.unwrap();
    until("it is connected", async || server.statistics().connections == 1).await;
    server.stop().await;
    assert!(read_to_end(caller).await.starts_with("INFO "));
    until("the port is free", async || Server::start(address, Limits::default()).await.is_ok())
        .await;
}
