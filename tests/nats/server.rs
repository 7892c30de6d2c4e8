//! A NATS server for the stories, embedded or real; and helpers that every story needs.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    time::Duration,
};

use async_nats::{Client, Message, Subscriber};
use embedded_nats as nats;
use futures::{FutureExt, StreamExt};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    task::unconstrained,
    time::{sleep, timeout},
};

/// Far longer than any step takes; only a failing story waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two checks of a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A server that is started for one story, and ends with it.
pub(crate) struct Server {
    address: SocketAddr,
    kind: Kind,
}

enum Kind {
    Embedded(Option<nats::Server>),
    Real { program: PathBuf, folder: TempDir, process: Option<Child> },
}

impl Server {
    pub(crate) async fn embedded() -> Self {
        let mut server = Self { address: free_address(), kind: Kind::Embedded(None) };
        server.restart().await;
        server
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "which program to test is not a setting of the mesh"
    )]
    pub(crate) async fn real() -> Self {
        let program = std::env::var_os("NATS_SERVER_BIN")
            .expect("NATS_SERVER_BIN names a nats-server")
            .into();
        let folder = tempfile::tempdir().unwrap();
        let mut server =
            Self { address: free_address(), kind: Kind::Real { program, folder, process: None } };
        server.restart().await;
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Ends the server without notice to its clients, like `kill -9`.
    pub(crate) async fn kill(&mut self) {
        match &mut self.kind {
            Kind::Embedded(server) => server.take().unwrap().stop().await,
            Kind::Real { process, .. } => process.take().unwrap().kill().await.unwrap(),
        }
    }

    /// Starts it again at the same address, with none of its former state.
    pub(crate) async fn restart(&mut self) {
        match &mut self.kind {
            // A story that starts a process at the same time holds all sockets for a moment, closed ones included.
            Kind::Embedded(server) => {
                until("the port is free", async || {
                    *server = nats::Server::start(self.address, nats::Limits::default()).await.ok();
                    server.is_some()
                })
                .await;
            }
            Kind::Real { program, folder, process } => {
                let limits = nats::Limits::default();
                let config = format!(
                    "listen: \"{}\"\nmax_pending: {}\nwrite_deadline: \"{}ms\"\n",
                    self.address,
                    limits.max_pending,
                    limits.write_deadline.as_millis(),
                );
                let path = folder.path().join("nats.conf");
                std::fs::write(&path, config).unwrap();
                let log = folder.path().join("nats.log");
                let child = Command::new(program)
                    .arg("-c")
                    .arg(path)
                    .arg("-l")
                    .arg(log)
                    .kill_on_drop(true)
                    .spawn();
                *process = Some(child.unwrap());
                until("nats-server listens", async || {
                    tokio::net::TcpStream::connect(self.address).await.is_ok()
                })
                .await;
            }
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        async_nats::connect(self.url()).await.unwrap()
    }
}

/// An address that is free again after the server was killed: its port is below those that the system assigns by itself, so
/// that no other story gets it meanwhile.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let mut candidates = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Relaxed));
    let free = candidates.find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    free.unwrap().local_addr().unwrap()
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !condition().await {
            sleep(LOOK_AGAIN).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}: not within {PATIENCE:?}");
}

/// Waits until the server has processed all earlier operations of the client: it has delivered a message of the client to the
/// client itself. (`Client::flush` is no round trip.)
pub(crate) async fn settled(client: &Client) {
    let inbox = client.new_inbox();
    let mut echo = client.subscribe(inbox.clone()).await.unwrap();
    client.publish(inbox, "".into()).await.unwrap();
    next(&mut echo).await;
}

/// Waits until all messages that `from` has published have reached `to`.
pub(crate) async fn delivered(from: &Client, to: &Client) {
    settled(from).await;
    settled(to).await;
}

pub(crate) async fn next(subscriber: &mut Subscriber) -> Message {
    timeout(PATIENCE, subscriber.next())
        .await
        .expect("a message in time")
        .expect("an open subscription")
}

/// The messages that have reached the subscriber by now.
pub(crate) fn received(subscriber: &mut Subscriber) -> Vec<Message> {
    // `unconstrained`, since tokio would make it yield after some messages, which looks like the end of the messages.
    std::iter::from_fn(|| unconstrained(subscriber.next()).now_or_never().flatten()).collect()
}

/// The subjects of the messages that have reached the subscriber by now.
pub(crate) fn subjects(subscriber: &mut Subscriber) -> Vec<String> {
    received(subscriber).into_iter().map(|message| message.subject.to_string()).collect()
}

/// The payloads of the messages that have reached the subscriber by now.
pub(crate) fn payloads(subscriber: &mut Subscriber) -> Vec<String> {
    received(subscriber)
        .into_iter()
        .map(|message| String::from_utf8_lossy(&message.payload).into_owned())
        .collect()
}
