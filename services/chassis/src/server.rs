//! Connections, the same for REST, gRPC, OTLP and the admin port: limited in number, with a deadline for every wait for the
//! client.
//!
//! A client that sends slowly, reads slowly or is silent does not harm other clients: if all connections are in use, the one
//! that has waited longest for its client is closed for the new one.

pub(crate) mod arrival;
mod connection;
mod socket;
#[cfg(test)]
mod tests;
mod transfer;
pub(crate) mod upgrade;

use std::{collections::HashMap, convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, Response};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, Id, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::metrics::Registry;
use connection::Connection;
use socket::Socket;
use transfer::Tracked;
use upgrade::Upgrades;

crate::metrics! {
    /// Connections of the ports that a service listens on.
    pub(crate) struct Metrics in "mesh" {
        /// Open connections, by port.
        connections: IntGaugeVec["port"],
        /// Connections that the server closed, by port and reason: `slow` clients and `idle` ones missed a deadline, `evicted` ones
        /// made room for others, `refused` ones came when all others were being answered.
        connections_closed_total: IntCounterVec["port", "reason"],
    }
}

const REASONS: [&str; 4] = ["evicted", "idle", "refused", "slow"];

/// The protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1, or HTTP/2 if the client begins with its preface.
    Http,
    /// HTTP/2 only.
    Grpc,
}

/// One port.
pub(crate) struct Port {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    /// The most connections at once.
    pub(crate) connections: usize,
    pub(crate) metrics: Metrics,
}

/// The precision of deadlines.
const TICK: Duration = Duration::from_secs(1);
/// The pause after a failed accept: most likely the process is out of file descriptors, and other connections have to close
/// first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// The most memory for a request line with its headers, or for a chunk of a body; longer headers are answered with 431.
const BUFFER: usize = 32 * 1024;
/// The most bytes of headers in one HTTP/2 request or answer: more than over HTTP/1.1, since some of a request's headers (trace
/// context, baggage) are passed on over gRPC.
pub(crate) const HEADER_LIST: u32 = 2 * BUFFER as u32;
/// The most concurrent requests of one HTTP/2 connection; the client holds further ones back.
const STREAMS: u32 = 256;
/// The most unread bytes of one HTTP/2 stream, and of one connection, before the client has to wait.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// The most bytes that one HTTP/2 stream buffers for a client that does not read.
const SEND_BUFFER: usize = 64 * 1024;
/// The interval of pings, and the time limit of their answers, that detect an HTTP/2 peer that vanished without closing.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);

/// Serves until `stop`, then until every request is answered and its connection closed.
pub(crate) async fn serve<S>(
    listener: TcpListener,
    service: S,
    port: Port,
    stop: impl Future<Output = ()>,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let mut open = Open::new(port);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => open.add(stream, &service),
                Err(error) => pause(&error).await,
            },
            ended = open.ended(), if !open.is_empty() => open.remove(ended),
            _ = tick.tick(), if !open.is_empty() => open.expire(),
            () = &mut stop => break,
        }
    }
    drop(listener);
    open.stopping.cancel();
    while !open.is_empty() {
        tokio::select! {
            ended = open.ended() => open.remove(ended),
            _ = tick.tick() => open.expire(),
        }
    }
}

/// Serves a router that belongs to no [`App`](crate::App), with at most so many connections and otherwise within the same
/// limits, until it is dropped.
pub async fn serve_router(listener: TcpListener, router: axum::Router, connections: usize) {
    let metrics = Metrics::register(&Registry::new()).expect("an empty registry has no such name");
    let port = Port { name: "http", protocol: Protocol::Http, connections, metrics };
    serve(listener, router, port, std::future::pending()).await;
}

async fn pause(error: &io::Error) {
    let of_one = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset,
    ];
    if !of_one.contains(&error.kind()) {
        tracing::warn!(%error, "a connection cannot be accepted");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// The connections of one port.
struct Open {
    port: Port,
    tasks: JoinSet<()>,
    connections: HashMap<Id, (Arc<Connection>, AbortHandle)>,
    stopping: CancellationToken,
}

impl Open {
    fn new(port: Port) -> Self {
        let Metrics { connections, connections_closed_total } = &port.metrics;
        connections.with_label_values(&[port.name]).set(0);
        for reason in REASONS {
            connections_closed_total.with_label_values(&[port.name, reason]).inc_by(0);
        }
        Self {
            port,
            tasks: JoinSet::new(),
            connections: HashMap::new(),
            stopping: CancellationToken::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    fn add<S>(&mut self, stream: TcpStream, service: &S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        // Without a delay: an answer is written in pieces, and no piece may wait for the acknowledgement of the one before.
        // Setting it fails only on a connection that is closed already.
        stream.set_nodelay(true).ok();
        if self.connections.len() >= self.port.connections && !self.evict() {
            return self.refuse(&stream);
        }
        let connection = Arc::new(Connection::new(stream, self.port.protocol));
        let talk = converse(
            Arc::clone(&connection),
            service.clone(),
            self.port.protocol,
            self.stopping.clone(),
        );
        let task = self.tasks.spawn(talk);
        self.connections.insert(task.id(), (connection, task));
        self.count();
    }

    /// Closes the connection that waits for its client the longest; among equals, a request that does not arrive goes before an
    /// idle connection. If the server works for all of them, it closes the oldest one whose client may be gone: such a client
    /// takes no answer, and a request without an end would keep its place for ever.
    fn evict(&mut self) -> bool {
        let now = Instant::now();
        let waiting = self
            .connections
            .iter()
            .filter_map(|(id, (connection, _))| Some((connection.waiting()?.urgency(now), *id)));
        let abandoned = || {
            let all = self.connections.iter();
            all.filter_map(|(id, (connection, _))| Some((connection.abandoned()?, *id))).min()
        };
        let least = waiting.min().map(|(_, id)| id).or_else(|| abandoned().map(|(_, id)| id));
        let Some(id) = least else { return false };
        self.close(id, "evicted");
        true
    }

    fn refuse(&self, stream: &TcpStream) {
        self.port
            .metrics
            .connections_closed_total
            .with_label_values(&[self.port.name, "refused"])
            .inc();
        if self.port.protocol == Protocol::Http {
            const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            // The send buffer of a new connection has room for so few bytes. If it has not, the client sees the connection
            // close.
            stream.try_write(FULL).ok();
        }
    }

    fn expire(&mut self) {
        let now = Instant::now();
        let missed = |connection: &Connection| connection.waiting()?.missed(now);
        let expired: Vec<_> = self
            .connections
            .iter()
            .filter_map(|(id, (connection, _))| Some((*id, missed(connection)?)))
            .collect();
        for (id, reason) in expired {
            self.close(id, reason);
        }
        for (connection, task) in self.connections.values() {
            if connection.probe().is_err() {
                task.abort();
            }
        }
    }

    fn close(&mut self, id: Id, reason: &'static str) {
        if let Some((_, task)) = self.connections.remove(&id) {
            task.abort();
            self.port
                .metrics
                .connections_closed_total
                .with_label_values(&[self.port.name, reason])
                .inc();
            self.count();
        }
    }

    async fn ended(&mut self) -> Option<Id> {
        match self.tasks.join_next_with_id().await? {
            Ok((id, ())) => Some(id),
            Err(aborted) => Some(aborted.id()),
        }
    }

    fn remove(&mut self, ended: Option<Id>) {
        match ended {
            Some(id) => drop(self.connections.remove(&id)),
            // No task is left, whatever the map contains.
            None => self.connections.clear(),
        }
        self.count();
    }

    fn count(&self) {
        let open = i64::try_from(self.connections.len()).unwrap_or(i64::MAX);
        self.port.metrics.connections.with_label_values(&[self.port.name]).set(open);
    }
}

async fn converse<S>(
    connection: Arc<Connection>,
    service: S,
    protocol: Protocol,
    stopping: CancellationToken,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let builder = builder(protocol);
    let io = TokioIo::new(Socket::new(Arc::clone(&connection)));
    let upgrades = Upgrades::new(&connection);
    let _closed_with_this_task = upgrades.guard();
    let tracked = Tracked::new(service, Arc::clone(&connection), upgrades.clone());
    let mut talk = pin!(builder.serve_connection_with_upgrades(io, tracked));
    let ended = tokio::select! {
        ended = &mut talk => ended,
        () = stopping.cancelled() => {
            talk.as_mut().graceful_shutdown();
            talk.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(error = &*error, "a connection ended early");
    }
    if upgrades.ended().await {
        Socket::new(connection).linger().await;
    }
}

fn builder(protocol: Protocol) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if protocol == Protocol::Grpc {
        builder = builder.http2_only();
    }
    // A client may close its sending side after its request, and still gets its answer. The deadline for headers is set by
    // `Connection`, which also limits the time before the first byte.
    builder.http1().half_close(true).max_buf_size(BUFFER).header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_LIST)
        .max_send_buf_size(SEND_BUFFER)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}
