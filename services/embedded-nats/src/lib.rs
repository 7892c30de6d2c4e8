//! A small core-NATS server: subjects with wildcards, queue groups, headers, request and reply, "no responders",
//! unsubscribing after a number of messages, bounded buffers.
//!
//! ```text
//!  client ──▶ session: protocol ──▶ hub: subjects ──▶ every receiver's outbox ──▶ its client
//! ```
//!
//! It passes the same tests as nats-server (`tests/nats`). Deliberately absent: JetStream, accounts and passwords,
//! TLS, clusters. The protocol: <https://docs.nats.io/reference/reference-protocols/nats-protocol>

mod hub;
mod outbox;
mod protocol;
mod session;
mod subjects;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinError, JoinSet},
    time::sleep,
};

use embedded_limits::ConnectionSlots;
use hub::Hub;

/// How long to wait after `accept` failed: file descriptors have run out, and some may be free by then.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// The limits of the server and of each client.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The maximum size of a message in bytes, headers included.
    pub max_payload: usize,
    /// The bytes that may be pending for one client; beyond them, the client is a slow consumer and is disconnected.
    pub max_pending: usize,
    /// How long a client may take to read what is pending at one moment; after that, it is a slow consumer too.
    pub write_deadline: Duration,
    /// How long a client may be silent before the server sends a `PING`.
    pub ping_interval: Duration,
    /// How long a client may take to send the rest of an operation or a message.
    pub read_deadline: Duration,
    /// The maximum of connections. A client that has not sent `CONNECT` gives way to a new one.
    pub max_connections: usize,
    /// The bytes that may be pending for all clients together; beyond them, the client with the most is disconnected.
    pub max_pending_of_all: usize,
    /// The bytes that all subscriptions may take together.
    pub max_subscriptions: usize,
}

/// The defaults of nats-server, but for pending bytes: its 64 MiB and 10 s are for machines that run nothing else.
impl Default for Limits {
    fn default() -> Self {
        Self {
            max_payload: 1 << 20,
            max_pending: 8 << 20,
            write_deadline: Duration::from_secs(2),
            ping_interval: Duration::from_secs(120),
            read_deadline: Duration::from_secs(10),
            max_connections: 500,
            max_pending_of_all: 32 << 20,
            max_subscriptions: 64 << 20,
        }
    }
}

/// What the server has done since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Clients that are connected now.
    pub connections: u64,
    /// Subscriptions that exist now.
    pub subscriptions: u64,
    /// Messages that clients published.
    pub messages_in: u64,
    /// The bytes of those messages.
    pub bytes_in: u64,
    /// Messages that were delivered to clients.
    pub messages_out: u64,
    /// The bytes of those messages.
    pub bytes_out: u64,
    /// The bytes that are pending for all clients now.
    pub pending_bytes: u64,
    /// Clients that were disconnected because they did not read.
    pub slow_consumers: u64,
}

/// A running server; dropping it ends it and closes all its connections.
pub struct Server {
    address: SocketAddr,
    hub: Arc<Hub>,
    stop: oneshot::Sender<()>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Listens at `address`; port 0 picks a free one.
    ///
    /// # Errors
    /// The address is taken, or is not one of this machine.
    pub async fn start(address: SocketAddr, limits: Limits) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let hub = Arc::new(Hub::new(limits));
        let (stop, stopped) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&hub), stopped));
        Ok(Self { address, hub, stop, tasks })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the server has done so far.
    pub fn statistics(&self) -> Statistics {
        self.hub.statistics()
    }

    /// Closes the listener and every connection; pending messages are lost, as core NATS allows.
    pub async fn stop(self) {
        let Self { stop, mut tasks, .. } = self;
        drop(stop);
        while tasks.join_next().await.is_some() {}
    }
}

async fn accept(listener: TcpListener, hub: Arc<Hub>, mut stopped: oneshot::Receiver<()>) {
    let mut sessions = JoinSet::new();
    let slots = ConnectionSlots::new(hub.limits.max_connections);
    let mut id = 0;
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(ended) = sessions.join_next() => log_panic(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    id += 1;
                    match slots.acquire() {
                        Some(slot) => {
                            sessions.spawn(session::serve(Arc::clone(&hub), id, slot, stream, peer));
                        }
                        None => session::refuse(&stream),
                    }
                }
                Err(error) => {
                    if let Some(suppressed) = hub.log_limit.allow() {
                        tracing::warn!(%error, suppressed, "could not accept a NATS connection");
                    }
                    sleep(ACCEPT_AGAIN).await;
                }
            },
        }
    }
    sessions.shutdown().await;
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a NATS session panicked");
    }
}
