//! Clients that stop half-way, do not read, use up all connections or send nonsense: their cost to others is bounded.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use embedded_nats::{Limits, Server};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::server::{PATIENCE, settled, until};

async fn start(limits: Limits) -> Server {
    Server::start(([127, 0, 0, 1], 0).into(), limits).await.unwrap()
}

async fn connect(server: &Server, first: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(first.as_bytes()).await.unwrap();
    stream
}

async fn heard_to_end(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset also ends the connection.
    timeout(PATIENCE, stream.read_to_end(&mut text)).await.expect("an end").ok();
    String::from_utf8_lossy(&text).into_owned()
}

/// The server serves another client: it passes on a message.
async fn others_are_served(server: &Server) {
    settled(&async_nats::connect(server.address().to_string()).await.unwrap()).await;
}

/// The resident memory of the process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

#[tokio::test]
async fn a_half_sent_operation_times_out_and_an_idle_connection_does_not() {
    let limits = Limits { read_deadline: Duration::from_millis(100), ..Limits::default() };
    let server = start(limits).await;
    let mut idle = connect(&server, "CONNECT {\"verbose\":false}\r\nPING\r\n").await;
    for half in ["PU", "PUB a 3\r\nab", "PUB a 500000\r\nab", "CONNECT {"] {
        let heard = heard_to_end(connect(&server, half).await).await;
        assert!(heard.ends_with("-ERR 'Stale Connection'\r\n"), "{half}: {heard}");
    }
    idle.write_all(b"PING\r\n").await.unwrap();
    let mut heard = String::new();
    while heard.matches("PONG").count() < 2 {
        let mut buffer = [0; 1024];
        let count = timeout(PATIENCE, idle.read(&mut buffer)).await.expect("a pong").unwrap();
        assert!(count > 0, "it was cut off after {heard}");
        heard += &String::from_utf8_lossy(&buffer[..count]);
    }
}

#[tokio::test]
async fn half_messages_use_bounded_memory_and_block_no_client() {
    // The test measures the process: clients of other tests would be measured, too.
    if !harness::is_alone("hostile::half_messages_use_bounded_memory_and_block_no_client") {
        return;
    }
    let server = start(Limits::default()).await;
    let before = resident();
    let mut halves = Vec::new();
    for _ in 0..200 {
        let mut stream = connect(&server, "PUB a 1000000\r\n").await;
        timeout(Duration::from_millis(20), stream.write_all(&vec![b'x'; 900_000])).await.ok();
        halves.push(stream);
    }
    others_are_served(&server).await;
    let client = async_nats::connect(server.address().to_string()).await.unwrap();
    client.publish("b", vec![b'x'; 900_000].into()).await.unwrap();
    settled(&client).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 120 << 20, "{} MiB", grown >> 20);
}

#[tokio::test]
async fn pending_output_is_bounded_and_the_slowest_client_is_closed() {
    let most = 8 << 20;
    let limits =
        Limits { max_pending_of_all: most, write_deadline: PATIENCE * 10, ..Limits::default() };
    let server = start(limits).await;
    let mut sleepers = Vec::new();
    for _ in 0..20 {
        sleepers.push(connect(&server, "CONNECT {\"verbose\":false}\r\nSUB news 1\r\n").await);
    }
    until("all are subscribed", async || server.statistics().subscriptions == 20).await;
    let shop = async_nats::connect(server.address().to_string()).await.unwrap();
    until("some are cut off", async || {
        shop.publish("news", vec![b'x'; 500_000].into()).await.unwrap();
        settled(&shop).await;
        let pending = server.statistics().pending_bytes;
        assert!(pending <= most as u64 + 1_000_000, "{pending}");
        server.statistics().slow_consumers >= 5
    })
    .await;
    others_are_served(&server).await;
}

#[tokio::test]
async fn connections_without_connect_are_closed_first() {
    let server = start(Limits { max_connections: 3, ..Limits::default() }).await;
    let silent = connect(&server, "").await;
    until("it is there", async || server.statistics().connections == 1).await;
    let mut clients = Vec::new();
    for count in 1..=3 {
        clients.push(async_nats::connect(server.address().to_string()).await.unwrap());
        settled(&clients[count - 1]).await;
    }
    let heard = heard_to_end(silent).await;
    assert!(heard.ends_with("-ERR 'maximum connections exceeded'\r\n"), "{heard}");
    let refused = heard_to_end(connect(&server, "").await).await;
    assert_eq!(refused, "-ERR 'maximum connections exceeded'\r\n");
    for client in &clients {
        settled(client).await;
    }
}

#[tokio::test]
async fn the_number_of_subscriptions_is_bounded_for_all_clients() {
    let server = start(Limits { max_subscriptions: 200_000, ..Limits::default() }).await;
    let mut greedy = connect(&server, "CONNECT {\"verbose\":false}\r\n").await;
    // Many tokens cost more memory than their letters.
    let subject = vec!["a"; 100].join(".");
    let all: String = (0..50).map(|id| format!("SUB {subject} {id}\r\n")).collect();
    greedy.write_all(all.as_bytes()).await.unwrap();
    greedy.write_all(b"PING\r\n").await.unwrap();
    let mut heard = String::new();
    while !heard.contains("PONG") {
        let mut buffer = [0; 4096];
        let count = timeout(PATIENCE, greedy.read(&mut buffer)).await.expect("a pong").unwrap();
        heard += &String::from_utf8_lossy(&buffer[..count]);
    }
    assert!(heard.contains("-ERR 'maximum subscriptions exceeded'"), "{heard}");
    assert!((1..20).contains(&server.statistics().subscriptions));
    drop(greedy);
    until("they are gone", async || server.statistics().subscriptions == 0).await;
    others_are_served(&server).await;
}

/// The number of panics of the server from now on. Its tasks run on the tests' own threads, so that a panic of a test outside
/// of its own file counts, too; that test has failed anyway.
fn count_panics() -> &'static AtomicUsize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.location().is_some_and(|place| !place.file().contains("tests/")) {
            PANICS.fetch_add(1, Relaxed);
        }
        before(panic);
    }));
    &PANICS
}

/// Some operations with random damage.
fn damaged(random: &mut StdRng) -> Vec<u8> {
    let sound = [
        "CONNECT {\"verbose\":true,\"headers\":true,\"no_responders\":true}\r\n",
        "SUB a.*.b group 7\r\nUNSUB 7 3\r\n",
        "PUB a.x.b reply 5\r\nhello\r\n",
        "HPUB a.x.b reply 12 17\r\nNATS/1.0\r\n\r\nhello\r\n",
        "PING\r\nPONG\r\n",
        "SUB > 1\r\nPUB a 0\r\n\r\n",
        "UNSUB 1 18446744073709551615\r\n",
    ];
    let mut bytes = Vec::new();
    for _ in 0..random.random_range(1..5) {
        bytes.extend_from_slice(sound[random.random_range(0..sound.len())].as_bytes());
    }
    for _ in 0..random.random_range(0..4) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..5) {
            0 => bytes[at] = random.random(),
            1 => bytes.truncate(at.max(1)),
            2 => drop(bytes.splice(at..at, *b"99999999999999999999")),
            3 => drop(bytes.splice(at..at, [b'.'; 3000])),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

#[tokio::test]
async fn invalid_input_closes_only_its_own_connection() {
    if !harness::is_alone("hostile::invalid_input_closes_only_its_own_connection") {
        return;
    }
    let panics = count_panics();
    let server = start(Limits::default()).await;
    let healthy = async_nats::connect(server.address().to_string()).await.unwrap();
    let mut random = StdRng::seed_from_u64(43);
    let before = resident();
    for round in 0..3_000 {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(&damaged(&mut random)).await.ok();
        if round % 100 == 0 {
            settled(&healthy).await;
        }
    }
    settled(&healthy).await;
    others_are_served(&server).await;
    until("only clients are left", async || server.statistics().connections == 1).await;
    assert_eq!(panics.load(Relaxed), 0);
    let grown = resident().saturating_sub(before);
    assert!(grown < 100 << 20, "{} MiB", grown >> 20);
}
