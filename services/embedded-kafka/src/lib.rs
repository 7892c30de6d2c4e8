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
pub mod limits;
mod log;
mod long;
mod node;
mod offsets;
mod producers;
mod records;
mod rope;
mod session;
mod settings;
mod store;
mod topics;
mod versions;
mod wire;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval, sleep},
};

use cluster::Cluster;
use coordinator::Coordinator;
use embedded_limits::{ConnectionSlots, LogLimit, MemoryBudget};
use limits::{MAX_CONNECTIONS, MAX_IN_FLIGHT};
use node::Node;
pub use settings::{Retention, Settings, Topic};
pub use store::Full;
use store::Store;

/// How long to wait after `accept` failed: file descriptors have run out, and some may be free by then.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// How often to look for group members that fell silent: a small part of the shortest session.
const TICK: Duration = Duration::from_millis(250);

/// A running broker; dropping it ends it, and all its data is lost.
pub struct Broker {
    address: SocketAddr,
    node: Arc<Node>,
    bootstrap_servers: String,
    paused: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Broker {
    /// Listens at `address`; port 0 picks a free one.
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
            store: Store::new(settings.topics, settings.limit),
            groups: Coordinator::new(settings.groups, settings.group_expiry),
            memory: MemoryBudget::new(MAX_IN_FLIGHT),
            slots: ConnectionSlots::new(MAX_CONNECTIONS),
            log_limit: LogLimit::default(),
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
                    && let Some(slot) = node.slots.acquire()
                {
                    sessions.spawn(session::serve(Arc::clone(&node), slot, stream, peer));
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
            if let Some(suppressed) = node.log_limit.allow() {
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
