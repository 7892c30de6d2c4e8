//! Tests with slow clients, over real connections.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    response::sse::{Event, Sse},
    routing::{get, post},
};
use bytes::Bytes;
use futures::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::*;
use crate::metrics::Registry;

/// The longest that a step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Setup {
    address: SocketAddr,
    /// The number of requests that were read and are never answered.
    unanswered: Arc<AtomicUsize>,
    registry: Registry,
    stop: CancellationToken,
    servers: JoinSet<()>,
}

fn port(registry: &Registry, connections: usize) -> Port {
    let metrics = Metrics::register(registry).unwrap();
    Port { name: "http", protocol: Protocol::Http, connections, metrics }
}

async fn setup(connections: usize) -> Setup {
    let unanswered = Arc::<AtomicUsize>::default();
    let asked = Arc::clone(&unanswered);
    let never = async move || {
        asked.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>().await;
    };
    let router = Router::new()
        .route("/", get(|| async { "tea" }))
        .route("/never", get(never))
        .route("/large", get(|| async { Bytes::from(vec![b'x'; 64 << 20]) }))
        .route("/echo", post(|body: String| async { body }))
        .route("/refuses", post(|| async { "no" }))
        .route(
            "/live",
            get(|| async {
                let first =
                    futures::stream::iter([Ok::<_, Infallible>(Event::default().data("1"))]);
                Sse::new(first.chain(futures::stream::pending()))
            }),
        );
    let (registry, stop) = (Registry::new(), CancellationToken::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut servers = JoinSet::new();
    let port = port(&registry, connections);
    servers.spawn(serve(listener, router, port, stop.clone().cancelled_owned()));
    Setup { address, unanswered, registry, stop, servers }
}

impl Setup {
    async fn connect(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self) -> String {
        let mut stream =
            self.connect("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        rest(&mut stream).await
    }

    fn metric(&self, series: &str) -> i64 {
        let text = self.registry.text();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    fn closed(&self, reason: &str) -> i64 {
        let series = r#"mesh_connections_closed_total{port="http",reason="#;
        self.metric(&format!("{series}\"{reason}\"}}"))
    }

    async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let condition = async {
            while !condition(self) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, condition).await.expect("the condition to come true");
    }
}

/// Everything that is received until the connection ends.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    read.expect("the end of the connection").ok();
    String::from_utf8(bytes).unwrap()
}

const OPEN: &str = r#"mesh_connections{port="http"}"#;

#[tokio::test]
async fn clients_that_send_their_headers_slowly_cost_others_nothing() {
    let setup = setup(16).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(setup.connect("GET / HTTP/1.1\r\nhost: a\r\nx-slow: ").await);
        assert!(setup.ask().await.ends_with("tea"));
    }
    assert_eq!(setup.closed("refused"), 0);
    assert!(setup.metric(OPEN) <= 16, "{}", setup.registry.text());
    assert!(setup.closed("evicted") >= 80, "{}", setup.registry.text());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_arrive_and_a_connection_without_one_have_a_deadline() {
    let setup = setup(16).await;
    for (begin, seconds, reason) in [
        ("", 10, "slow"),
        ("GET / HT", 10, "slow"),
        ("GET / HTTP/1.1\r\nhost: a\r\nx-slow: ", 10, "slow"),
        ("PRI * HTTP/2.0\r\n\r\nSM", 10, "slow"),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nfour", 30, "slow"),
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", 75, "idle"),
    ] {
        let (begun, before) = (Instant::now(), setup.closed(reason));
        let mut stream = setup.connect(begin).await;
        rest(&mut stream).await;
        let took = begun.elapsed().as_secs();
        assert!((seconds..=seconds + 3).contains(&took), "{begin:?} took {took} s");
        assert_eq!(setup.closed(reason), before + 1, "{begin:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_its_client_does_not_take_is_given_up() {
    let setup = setup(16).await;
    let _deaf = setup.connect("GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await;
    setup.until(|setup| setup.metric(OPEN) == 1).await;
    let begun = Instant::now();
    while setup.metric(OPEN) > 0 {
        sleep(Duration::from_secs(1)).await;
        assert!(begun.elapsed() < PATIENCE, "the connection is still open");
    }
    assert_eq!(setup.closed("slow"), 1);
}

#[tokio::test]
async fn a_client_that_sends_nothing_more_still_gets_its_answer() {
    let setup = setup(16).await;
    for request in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\ntea",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntea\r\n0\r\n\r\n",
    ] {
        let mut stream = setup.connect(request).await;
        stream.shutdown().await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("tea"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_that_does_not_fit_in_is_refused_with_a_reason() {
    let setup = setup(2).await;
    let busy = "GET /never HTTP/1.1\r\nhost: a\r\n\r\n";
    let _busy = [setup.connect(busy).await, setup.connect(busy).await];
    // A connection whose request was not read yet is closed to make room for another one.
    setup.until(|setup| setup.unanswered.load(Ordering::Relaxed) == 2).await;
    let answer = setup.ask().await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"), "{answer}");
    assert_eq!(setup.closed("refused"), 1);
}

/// A client that closed its sending side still gets its answer, but not at the price of others.
#[tokio::test]
async fn where_all_are_being_answered_a_client_that_may_be_gone_makes_room() {
    let setup = setup(2).await;
    let busy = "GET /never HTTP/1.1\r\nhost: a\r\n\r\n";
    let (mut gone, _stays) = (setup.connect(busy).await, setup.connect(busy).await);
    setup.until(|setup| setup.unanswered.load(Ordering::Relaxed) == 2).await;
    gone.shutdown().await.unwrap();
    let answered = async {
        // Until the end of the client's side has arrived, the answer is 503.
        while !setup.ask().await.ends_with("tea") {}
    };
    timeout(PATIENCE, answered).await.expect("the client that may be gone makes room");
    assert_eq!(setup.closed("evicted"), 1);
    assert_eq!(rest(&mut gone).await, "");
}

#[tokio::test]
async fn an_idle_connection_makes_room_for_a_new_one() {
    let setup = setup(1).await;
    let mut idle = setup.connect("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    setup.until(|setup| setup.metric(OPEN) == 1).await;
    assert!(setup.ask().await.ends_with("tea"));
    assert_eq!(setup.closed("evicted"), 1);
    assert!(rest(&mut idle).await.ends_with("tea"));
}

/// The client receives the refusal although it was still sending.
#[tokio::test]
async fn an_answer_is_not_lost_with_a_body_that_was_not_read() {
    let setup = setup(16).await;
    let mut stream =
        setup.connect("POST /refuses HTTP/1.1\r\nhost: a\r\ncontent-length: 4000000\r\n\r\n").await;
    let (mut reader, mut writer) = stream.split();
    let send = async {
        let piece = vec![b'x'; 10_000];
        for _ in 0..100 {
            if writer.write_all(&piece).await.is_err() {
                break;
            }
        }
        writer.shutdown().await.ok();
    };
    let mut answer = String::new();
    let (_, read) = tokio::join!(send, reader.read_to_string(&mut answer));
    read.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("no"), "{answer}");
}

#[tokio::test]
async fn a_live_stream_ends_when_its_client_is_gone_and_not_when_it_only_has_nothing_to_say() {
    let setup = setup(16).await;
    let follow = "GET /live HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut half = setup.connect(follow).await;
    half.shutdown().await.unwrap();
    let gone = setup.connect(follow).await;
    setup.until(|setup| setup.metric(OPEN) == 2).await;
    let mut received = String::new();
    while !received.contains("data: 1") || !received.contains("\n:\n") {
        let mut bytes = [0; 512];
        let count = timeout(PATIENCE, half.read(&mut bytes)).await.unwrap().unwrap();
        assert!(count > 0, "the stream ended: {received}");
        received += std::str::from_utf8(&bytes[..count]).unwrap();
    }
    drop(gone);
    setup.until(|setup| setup.metric(OPEN) == 1).await;
}

#[tokio::test]
async fn what_is_being_answered_is_finished_at_the_end() {
    let mut setup = setup(16).await;
    let mut idle = setup.connect("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    setup.until(|setup| setup.metric(OPEN) == 1).await;
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    setup.stop.cancel();
    assert!(rest(&mut idle).await.ends_with("tea"));
    timeout(PATIENCE, setup.servers.join_next()).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(setup.address).await.is_err());
}

#[tokio::test]
async fn every_accepted_socket_sends_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut open = Open::new(port(&Registry::new(), 16));
    open.add(listener.accept().await.unwrap().0, &Router::new());
    let (connection, _) = open.connections.values().next().unwrap();
    assert!(connection.stream.nodelay().unwrap());
}
