use std::{net::SocketAddr, sync::Arc, time::Duration};

use chassis::{
    messaging,
    metrics::Registry,
    readiness::{Impact, Readiness},
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::*;

/// The longest that a step may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The part of a NATS server that a publishing client needs: <https://docs.nats.io/reference/reference-protocols/nats-protocol>
struct Server {
    address: SocketAddr,
    subjects: Arc<Mutex<Vec<String>>>,
    connections: JoinSet<()>,
}

impl Server {
    async fn start(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (address, subjects) =
            (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let mut connections = JoinSet::new();
        let received = Arc::clone(&subjects);
        connections.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &received).await.ok();
            }
        });
        Self { address, subjects, connections }
    }

    async fn stop(mut self) -> SocketAddr {
        self.connections.shutdown().await;
        self.address
    }
}

async fn serve(stream: TcpStream, subjects: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"INFO {\"server_id\":\"t\",\"version\":\"2.10.0\",\"max_payload\":65536,\"headers\":true}\r\n").await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["PING"] => stream.write_all(b"PONG\r\n").await?,
            ["PUB" | "HPUB", subject, .., length] => {
                let mut payload = vec![0; length.parse::<usize>().unwrap() + 2];
                stream.read_exact(&mut payload).await?;
                subjects.lock().push(subject.to_owned());
            }
            _ => {}
        }
        line.clear();
    }
    Ok(())
}

async fn until(condition: impl Fn() -> bool) {
    let reached = timeout(TIMEOUT, async {
        while !condition() {
            sleep(Duration::from_millis(1)).await;
        }
    });
    reached.await.expect("the condition holds in time");
}

fn update(customer: &str) -> LiveUpdate {
    LiveUpdate { order_id: "o-1".into(), customer: customer.into(), ..Default::default() }
}

async fn bridge(server: &Server) -> (Bridge, Registry) {
    let registry = Registry::new();
    let settings =
        nats::Settings { url: format!("nats://{}", server.address).into(), ..Default::default() };
    let operations = messaging::Metrics::register(&registry).unwrap();
    let condition = Readiness::new(&registry).unwrap().condition("nats", Impact::Degraded);
    let client =
        nats::Client::connect("notifications", &settings, operations, &registry, condition)
            .await
            .unwrap();
    (Bridge::new(client, Metrics::register(&registry).unwrap()), registry)
}

fn counted(registry: &Registry, outcome: &str) -> u64 {
    let name = format!(
        "mesh_notifications_updates_total{{outcome=\"{outcome}\",topic=\"orders.events\"}} "
    );
    let text = registry.text();
    text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn an_update_is_published_on_the_subject_of_its_customer_and_order() {
    let server = Server::start(([127, 0, 0, 1], 0).into()).await;
    let (bridge, registry) = bridge(&server).await;
    bridge.publish("orders.events", &update("ada")).await;
    until(|| *server.subjects.lock() == ["live.orders.ada.o-1"]).await;
    assert_eq!(counted(&registry, "sent"), 1);
}

#[tokio::test]
async fn an_update_with_an_invalid_customer_is_refused_and_the_next_one_is_sent() {
    let server = Server::start(([127, 0, 0, 1], 0).into()).await;
    let (bridge, registry) = bridge(&server).await;
    bridge.publish("orders.events", &update("ada.>")).await;
    bridge.publish("orders.events", &update("ada")).await;
    assert_eq!((counted(&registry, "refused"), counted(&registry, "sent")), (1, 1));
}

#[tokio::test]
async fn while_nats_is_unavailable_updates_are_lost_without_waiting() {
    let server = Server::start(([127, 0, 0, 1], 0).into()).await;
    let (bridge, registry) = bridge(&server).await;
    let address = server.stop().await;
    until(|| !bridge.nats.is_connected()).await;
    // The server stays away until all updates were sent: an update that waited for it would wait forever.
    let all = async {
        for _ in 0..100 {
            bridge.publish("orders.events", &update("ada")).await;
        }
    };
    timeout(TIMEOUT, all).await.expect("no update waits for a server");
    assert_eq!(counted(&registry, "lost"), 100);
    let server = Server::start(address).await;
    until(|| bridge.nats.is_connected()).await;
    bridge.publish("orders.events", &update("ada")).await;
    until(|| server.subjects.lock().len() == 1).await;
    assert_eq!((counted(&registry, "sent"), bridge.lost.load(Ordering::Relaxed)), (1, 0));
}
