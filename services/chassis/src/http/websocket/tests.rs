//! WebSockets on real connections, which the port counts and ends.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::*;
use crate::server::serve_router;

/// The longest that a step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A server of echoes with so many connections; counts the sessions that run.
async fn serve(
    connections: usize,
    tasks: &mut JoinSet<()>,
) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let running = Arc::<AtomicUsize>::default();
    let limits = Limits {
        message: 100,
        rate: Rate { per_second: 1000, burst: 1000 },
        ping: Duration::from_secs(60),
        write: Duration::from_secs(60),
    };
    let count = Arc::clone(&running);
    let echo = get(move |upgrade: Upgrade| async move {
        upgrade.accept(limits, async move |mut socket: WebSocket| {
            count.fetch_add(1, Ordering::SeqCst);
            let _counted = Counted(count);
            while let Ok(text) = socket.receive().await {
                if socket.send(text.to_string()).await.is_err() {
                    return;
                }
            }
        })
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", echo);
    tasks.spawn(serve_router(listener, router, connections));
    (address, running)
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn connect(address: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
    stream
}

/// Sends `tea` with a mask of zeros, and reads the echo.
async fn echo(stream: &mut TcpStream) {
    stream.write_all(b"\x81\x83\0\0\0\0tea").await.unwrap();
    let mut answer = [0; 5];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"\x81\x03tea");
}

#[tokio::test]
async fn an_open_connection_keeps_its_place_and_gives_it_back() {
    let mut tasks = JoinSet::new();
    let (address, running) = serve(1, &mut tasks).await;
    let mut first = connect(address).await;
    echo(&mut first).await;
    let mut refused = TcpStream::connect(address).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, refused.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    echo(&mut first).await;
    assert_eq!(running.load(Ordering::SeqCst), 1);
    drop(first);
    while running.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    loop {
        // The port learns of the end a moment later.
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        if next.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 426 ") {
            return;
        }
    }
}

#[tokio::test]
async fn a_session_ends_with_its_port() {
    let mut tasks = JoinSet::new();
    let (address, running) = serve(4, &mut tasks).await;
    let mut stream = connect(address).await;
    echo(&mut stream).await;
    assert_eq!(running.load(Ordering::SeqCst), 1);
    tasks.shutdown().await;
    assert_eq!(timeout(PATIENCE, stream.read(&mut [0; 8])).await.unwrap().unwrap_or(0), 0);
    while running.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_reason_is_cut_to_what_a_close_frame_carries() {
    let close = Close::new(Close::POLICY, "ä".repeat(100));
    assert_eq!((close.reason.len(), close.code()), (122, 1008));
}
