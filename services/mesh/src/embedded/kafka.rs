//! A small Kafka broker: one node, everything in memory, for clients of Kafka 4 and of the years before it.
//!
//! ```text
//!  client ──▶ session: wire ──▶ records ──▶ store: logs of batches ──▶ fetches that wait for records
//!                          ├──▶ offsets ──┘
//!                          └──▶ coordinator: groups
//! ```
//!
//! It passes the same tests as Apache Kafka (`tests/kafka`). All data is lost when its process ends. Until then it keeps every
//! record that one of the groups it was started for has yet to read: it refuses new records instead. Other groups give way.
//! Deliberately absent: transactions, groups of the new protocol, replication, settings that can be changed, passwords, TLS. The
//! protocol: <https://kafka.apache.org/protocol>

mod batch;
mod cluster;
mod configs;
mod coordinator;
mod fetch;
mod group;
mod guard;
mod log;
mod long;
mod offsets;
mod producers;
mod records;
mod rope;
mod session;
mod store;
mod topics;
mod wire;

use std::{collections::BTreeSet, io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use kafka_protocol::ResponseError;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval, sleep},
};

use super::{complaints::Complaints, memory::Memory, seats::Seats};
use cluster::Cluster;
use coordinator::Coordinator;
pub use store::Full;
use store::Store;

/// The memory, in bytes, of all large requests and all answers that clients have not read yet.
const IN_FLIGHT: usize = 32 << 20;
/// The maximum of connections: eight replicas of every service have 120.
const CONNECTIONS: usize = 500;
/// How long to wait after `accept` failed: file descriptors have run out, and some may be free by then.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// How often to look for group members that fell silent: a small part of the shortest session.
const TICK: Duration = Duration::from_millis(100);

/// The groups that a broker serves first, and its limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The groups whose records are kept until they were read, and whose offsets are kept for ever.
    pub groups: BTreeSet<String>,
    /// How long any other group is kept without members.
    pub group_expiry: Duration,
    /// The limit of all logs together, in bytes; at the limit, producers wait until records were consumed.
    pub limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            groups: BTreeSet::new(),
            group_expiry: Duration::from_secs(5 * 60),
            limit: 256 << 20,
        }
    }
}

/// The state that all sessions share.
struct Node {
    cluster: Cluster,
    store: Store,
    groups: Coordinator,
    memory: Arc<Memory>,
    seats: Seats,
    complaints: Complaints,
}

/// A running broker; dropping it ends it, and all its data is lost.
pub struct Broker {
    address: SocketAddr,
    node: Arc<Node>,
    bootstrap_servers: String,
    paused: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Broker {
    /// Listens at `address`, with every topic of the mesh and a dead-letter topic for each; port 0 picks a free one.
    ///
    /// # Errors
    /// The address is taken, or is not one of this machine.
    pub async fn start(address: SocketAddr, settings: Settings) -> anyhow::Result<Self> {
        let taken = || format!("the embedded Kafka broker cannot listen on {address}");
        let listener = TcpListener::bind(address).await.with_context(taken)?;
        let address = listener.local_addr()?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let node = Arc::new(Node {
            cluster: Cluster { address, id, producers: 1.into() },
            store: Store::new(settings.limit),
            groups: Coordinator::new(settings.groups, settings.group_expiry),
            memory: Memory::new(IN_FLIGHT),
            seats: Seats::new(CONNECTIONS),
            complaints: Complaints::default(),
        });
        let (paused, is_paused) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(tick(Arc::clone(&node)));
        tasks.spawn(accept(listener, Arc::clone(&node), is_paused));
        Ok(Self { address, node, bootstrap_servers: address.to_string(), paused, tasks })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for clients, as `host:port`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// A handle that reports the broker's state; it may outlive the broker.
    pub fn monitor(&self) -> Monitor {
        Monitor(Arc::clone(&self.node))
    }

    /// Drops all connections and accepts no new ones; the records stay.
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

/// Reports the state of a broker.
#[derive(Clone)]
pub struct Monitor(Arc<Node>);

impl Monitor {
    /// Why the broker refuses new records; `None` while it takes them.
    pub fn full(&self) -> Option<Full> {
        self.0.store.full()
    }
}

async fn tick(node: Arc<Node>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        node.groups.tick(&node.store);
    }
}

/// While paused it keeps the listener open: another process might take the port.
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
                if let Some((stream, peer)) = accept_one(&node, accepted).await
                    && !*paused.borrow()
                    && let Some(seat) = node.seats.take()
                {
                    sessions.spawn(session::serve(Arc::clone(&node), seat, stream, peer));
                }
            }
        }
    }
}

async fn accept_one(
    node: &Node,
    accepted: io::Result<(TcpStream, SocketAddr)>,
) -> Option<(TcpStream, SocketAddr)> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            if let Some(suppressed) = node.complaints.next() {
                tracing::warn!(%error, suppressed, "could not accept a Kafka connection");
            }
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

/// The protocol's error code; 0 for `Ok`.
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
        Broker::start(([127, 0, 0, 1], 0).into(), Settings::default()).await.unwrap()
    }

    fn client(broker: &Broker) -> BaseProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.bootstrap_servers()).set("log_level", "0");
        config.create().unwrap()
    }

    // Clients block a thread, and the broker needs another.
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
        // A few answers that were sent before the pause may still arrive.
        let silent = (0..20).any(|_| !answers(&connected, 300));
        assert!(silent, "a paused broker answered twenty requests");
        assert!(!answers(&client(&broker), 300));
        broker.resume();
        assert!(answers(&connected, 10_000) && answers(&client(&broker), 10_000));
    }

    #[tokio::test]
    async fn a_stopped_broker_leaves_its_port_to_the_next() {
        let first = broker().await;
        let address = first.address();
        let mut connected = TcpStream::connect(address).await.unwrap();
        assert!(Broker::start(address, Settings::default()).await.is_err());
        first.stop().await;
        let gone = tokio::io::AsyncReadExt::read(&mut connected, &mut [0]).await;
        assert!(matches!(gone, Ok(0) | Err(_)));
        Broker::start(address, Settings::default()).await.unwrap();
    }
}
