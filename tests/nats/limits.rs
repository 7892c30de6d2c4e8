//! What is the embedded server's own: its limits, its numbers, its end.

use std::time::Duration;

use mesh_cli::embedded::nats::{Limits, Server, Statistics};
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
async fn a_silent_client_is_asked_twice_and_then_cut_off() {
    let server =
        start(Limits { ping_interval: Duration::from_millis(20), ..Limits::default() }).await;
    let silent = TcpStream::connect(server.address()).await.unwrap();
    let heard = read_to_end(silent).await;
    let (_, after_greeting) = heard.split_once("\r\n").unwrap();
    assert_eq!(after_greeting, "PING\r\nPING\r\n-ERR 'Stale Connection'\r\n");
}

#[tokio::test]
async fn a_client_that_takes_too_long_is_a_slow_consumer() {
    let server =
        start(Limits { write_deadline: Duration::from_millis(50), ..Limits::default() }).await;
    let mut sleeper = TcpStream::connect(server.address()).await.unwrap();
    sleeper.write_all(b"CONNECT {\"verbose\":false}\r\nSUB news 1\r\n").await.unwrap();
    until("it is subscribed", async || server.statistics().subscriptions == 1).await;
    let shop = async_nats::connect(server.address().to_string()).await.unwrap();
    // Less than the upper bound of what may wait, each time, but more than the system's buffers take.
    until("it is cut off", async || {
        shop.publish("news", vec![b'x'; 1_000_000].into()).await.unwrap();
        settled(&shop).await;
        server.statistics().slow_consumers == 1
    })
    .await;
    until("its subscription is gone", async || server.statistics().subscriptions == 0).await;
}

#[tokio::test]
async fn everything_is_counted() {
    let server = start(Limits::default()).await;
    let client = async_nats::connect(server.address().to_string()).await.unwrap();
    let _first = client.subscribe("a").await.unwrap();
    let _second = client.subscribe("*").await.unwrap();
    client.publish("a", "12345".into()).await.unwrap();
    client.publish("nobody.listens", "123".into()).await.unwrap();
    let _nobody_serves_it = client.request("nobody.serves", "".into()).await.unwrap_err();
    let expected = Statistics {
        connections: 1,
        subscriptions: 3,
        messages_in: 3,
        bytes_in: 8,
        messages_out: 3,
        bytes_out: 26,
        slow_consumers: 0,
    };
    assert_eq!(server.statistics(), expected);
}

#[tokio::test]
async fn a_stopped_server_hangs_up_and_frees_its_port() {
    let address = free_address();
    let server = Server::start(address, Limits::default()).await.unwrap();
    let caller = TcpStream::connect(address).await.unwrap();
    until("it is connected", async || server.statistics().connections == 1).await;
    server.stop().await;
    assert!(read_to_end(caller).await.starts_with("INFO "));
    until("the port is free", async || Server::start(address, Limits::default()).await.is_ok())
        .await;
}
