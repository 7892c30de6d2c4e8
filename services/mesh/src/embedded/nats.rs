//! A small core-NATS server: subjects with wildcards, queue groups, headers, request and reply, "no responders",
//! unsubscribing after a number of messages, bounded buffers.
//!
//! ```text
//!  client ──▶ session: protocol ──▶ hub: subjects ──▶ every receiver's outbox ──▶ its client
//! ```
//!
//! It is held to the same tests as nats-server (`tests/nats`). Deliberately absent: JetStream, accounts and passwords,
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

use super::seats::Seats;
use hub::Hub;

/// How long to wait after a connection could not be accepted: it is for want of file descriptors, and some may be free by then.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// What one client may ask of the server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one message, headers included.
    pub max_payload: usize,
    /// Bytes that may wait for one client; past it, the client is a slow consumer and is cut off.
    pub max_pending: usize,
    /// How long a client may take for what waits for it at one moment; past it, it is a slow consumer too.
    pub write_deadline: Duration,
    /// How long a client may be silent before it is asked whether it is still there.
    pub ping_interval: Duration,
    /// How long a client may take for the rest of what it has begun to send.
    pub read_deadline: Duration,
    /// Clients at once. One that has not said who it is gives way to a new one.
    pub max_connections: usize,
    /// Bytes that may wait for all clients together; past it, the one for which most waits is cut off.
    pub max_pending_of_all: usize,
    /// Bytes that all subscriptions may take together.
    pub max_subscriptions: usize,
}

/// As nats-server has them, but for what waits: 64 MiB and 10 s are for machines that hold nothing else.
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

/// What the server did since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Clients connected now.
    pub connections: u64,
    /// Subscriptions now.
    pub subscriptions: u64,
    /// Messages that clients published.
    pub messages_in: u64,
    /// Bytes of them.
    pub bytes_in: u64,
    /// Messages that were handed to clients.
    pub messages_out: u64,
    /// Bytes of them.
    pub bytes_out: u64,
    /// Bytes that wait for all clients now.
    pub pending_bytes: u64,
    /// Clients that were cut off because they did not read.
    pub slow_consumers: u64,
}

/// A running server; dropped, it is gone with all its connections.
pub struct Server {
    address: SocketAddr,
    hub: Arc<Hub>,
    stop: oneshot::Sender<()>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Listens at `address`; port 0 takes a free one.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it did so far.
    pub fn statistics(&self) -> Statistics {
        self.hub.statistics()
    }

    /// Closes the listener and every connection; what was not sent yet is lost, as core NATS has it.
    pub async fn stop(self) {
        let Self { stop, mut tasks, .. } = self;
        drop(stop);
        while tasks.join_next().await.is_some() {}
    }
}

async fn accept(listener: TcpListener, hub: Arc<Hub>, mut stopped: oneshot::Receiver<()>) {
    let mut sessions = JoinSet::new();
    let seats = Seats::new(hub.limits.max_connections);
    let mut id = 0;
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(ended) = sessions.join_next() => log_panic(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    id += 1;
                    match seats.take() {
                        Some(seat) => {
                            sessions.spawn(session::serve(Arc::clone(&hub), id, seat, stream, peer));
                        }
                        None => session::refuse(&stream),
                    }
                }
                Err(error) => {
                    if let Some(suppressed) = hub.complaints.next() {
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
