//! A small Kafka broker: one node, everything in memory, for clients of Kafka 4 and of some years before.
//!
//! ```text
//!  client ──▶ session: wire ──▶ records ──▶ store: logs of batches ──▶ whoever waits for more
//!                          ├──▶ offsets ──┘
//!                          └──▶ coordinator: groups
//! ```
//!
//! It is held to the same tests as Apache Kafka (`tests/kafka`). It forgets everything with its process, and nothing before
//! that which a group has yet to read: it rather refuses what is new. Deliberately absent: transactions, static members,
//! groups of the new protocol, replication, passwords, TLS. The protocol: <https://kafka.apache.org/protocol>

mod batch;
mod cluster;
mod coordinator;
mod group;
mod log;
mod offsets;
mod producers;
mod records;
mod session;
mod store;
mod wire;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use kafka_protocol::ResponseError;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval, sleep},
};

use cluster::Cluster;
use coordinator::Coordinator;
use store::Store;

/// What all logs may hold together; beyond it producers have to wait until something was consumed.
const LIMIT: usize = 256 << 20;
/// How long to wait after a connection could not be accepted: it is for want of file descriptors, and some may be free by then.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// How often groups are looked at for members that fell silent: a small part of the shortest session.
const TICK: Duration = Duration::from_millis(100);

/// What all sessions share.
struct Node {
    cluster: Cluster,
    store: Store,
    groups: Coordinator,
}

/// A running broker; dropped, it is gone with everything that was in it.
pub struct Broker {
    address: SocketAddr,
    bootstrap_servers: String,
    paused: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Broker {
    /// Listens at `address`, with every topic of the mesh and their dead-letter topics; port 0 takes a free one.
    ///
    /// # Errors
    /// The address is taken, or is not one of this machine.
    pub async fn start(address: SocketAddr) -> anyhow::Result<Self> {
        Self::with_limit(address, LIMIT).await
    }

    async fn with_limit(address: SocketAddr, limit: usize) -> anyhow::Result<Self> {
        let taken = || format!("the embedded Kafka broker cannot listen on {address}");
        let listener = TcpListener::bind(address).await.with_context(taken)?;
        let address = listener.local_addr()?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let node = Arc::new(Node {
            cluster: Cluster { address, id, producers: 1.into() },
            store: Store::new(limit),
            groups: Coordinator::default(),
        });
        let (paused, is_paused) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(tick(Arc::clone(&node)));
        tasks.spawn(accept(listener, node, is_paused));
        Ok(Self { address, bootstrap_servers: address.to_string(), paused, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients find it: `host:port`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Drops all connections and refuses new ones; what is in the topics stays.
    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    /// Accepts connections again.
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }

    /// Closes the listener and every connection.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn tick(node: Arc<Node>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        node.groups.tick();
    }
}

/// Keeps the port while it is paused: another process might take it.
async fn accept(listener: TcpListener, node: Arc<Node>, mut paused: watch::Receiver<bool>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            Ok(()) = paused.changed() => {
                if *paused.borrow_and_update() {
                    sessions.shutdown().await;
                }
            }
            Some(ended) = sessions.join_next() => log_panic(ended),
            accepted = listener.accept() => {
                if let Some((stream, peer)) = accept_one(accepted).await
                    && !*paused.borrow()
                {
                    sessions.spawn(session::serve(Arc::clone(&node), stream, peer));
                }
            }
        }
    }
}

async fn accept_one(
    accepted: io::Result<(TcpStream, SocketAddr)>,
) -> Option<(TcpStream, SocketAddr)> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "could not accept a Kafka connection");
            sleep(ACCEPT_AGAIN).await;
            None
        }
    }
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a Kafka session panicked");
    }
}

/// What the protocol calls it.
fn code<T>(result: &Result<T, ResponseError>) -> i16 {
    result.as_ref().err().map_or(0, ResponseError::code)
}

#[cfg(test)]
mod tests {
    use proto::topics;
    use rdkafka::{
        ClientConfig,
        producer::{BaseProducer, Producer},
    };

    use super::*;

    async fn broker() -> Broker {
        Broker::start(([127, 0, 0, 1], 0).into()).await.unwrap()
    }

    fn client(broker: &Broker) -> BaseProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.bootstrap_servers()).set("log_level", "0");
        config.create().unwrap()
    }

    // Clients block a thread, and the broker needs one too.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_topic_is_there_with_its_partitions() {
        let broker = broker().await;
        let metadata =
            client(&broker).client().fetch_metadata(None, Duration::from_secs(10)).unwrap();
        let partitions = |name: &str| {
            let topic = metadata.topics().iter().find(|topic| topic.name() == name);
            topic.map(|topic| topic.partitions().len())
        };
        for topic in topics::ALL {
            assert_eq!(partitions(topic), Some(topics::PARTITIONS as usize), "{topic}");
            assert_eq!(partitions(&format!("{topic}.dlq")), Some(1), "{topic}.dlq");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_paused_broker_answers_nobody_until_it_is_resumed() {
        let broker = broker().await;
        let connected = client(&broker);
        let answers = |client: &BaseProducer, timeout| {
            client.client().fetch_metadata(None, Duration::from_millis(timeout)).is_ok()
        };
        assert!(answers(&connected, 10_000));
        broker.pause();
        // It may just have answered one more.
        while answers(&connected, 300) {}
        assert!(!answers(&client(&broker), 300));
        broker.resume();
        assert!(answers(&connected, 10_000) && answers(&client(&broker), 10_000));
    }

    #[tokio::test]
    async fn a_stopped_broker_leaves_its_port_to_the_next() {
        let first = broker().await;
        let address = first.address();
        let mut connected = TcpStream::connect(address).await.unwrap();
        assert!(Broker::start(address).await.is_err());
        first.stop().await;
        let gone = tokio::io::AsyncReadExt::read(&mut connected, &mut [0]).await;
        assert!(matches!(gone, Ok(0) | Err(_)));
        Broker::start(address).await.unwrap();
    }
}
