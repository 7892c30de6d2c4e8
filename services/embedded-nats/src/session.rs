//! One connection: reads and applies the client's operations, and writes what is pending for it.

use std::{io, net::SocketAddr, str, sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use super::{
    hub::{Client, Hub, Routed},
    outbox::Outbox,
    protocol::{
        Announcement, INVALID_SUBJECT, LINE_TOO_LONG, Message, Operation, PAYLOAD_TOO_LONG, STALE,
        TOO_MANY_CONNECTIONS, TOO_MANY_SUBSCRIPTIONS, UNKNOWN_OPERATION, Violation,
    },
    subjects,
};
use embedded_limits::{ConnectionSlot, Lease, UNLEASED};

/// nats-server's `max_control_line`: the maximum length of an operation's arguments.
const LONGEST_ARGUMENTS: usize = 4096;
/// The maximum with the operation's name and the line end.
const LONGEST_LINE: usize = LONGEST_ARGUMENTS + 16;
/// nats-server's `ping_max`.
const UNANSWERED_PINGS: usize = 2;
/// How long a publisher pauses for a receiver whose outbox fills up: a reader that is only a little behind catches up,
/// and one that is stuck slows the others down for no longer than `write_deadline`.
const PAUSE: Duration = Duration::from_millis(2);
/// How long sending the last messages to a client may take.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) async fn serve(
    hub: Arc<Hub>,
    id: u64,
    slot: Arc<ConnectionSlot>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    let client = hub.join(id);
    client.outbox.say(&greeting(&hub, id, &stream, peer));
    let (reader, writer) = stream.into_split();
    let mut session =
        Session { hub: &hub, client: &client, slot: &slot, reader, buffer: BytesMut::new() };
    // One future until the end: a new one would lose the rest of a message that is half written.
    let writing = write(&client.outbox, writer, hub.limits.write_deadline);
    tokio::pin!(writing);
    let reads_on = tokio::select! {
        Err(ended) = session.run() => {
            if let Ended::Violation(what) = ended {
                client.outbox.say(&format!("-ERR '{what}'\r\n"));
            }
            true
        }
        written = &mut writing => {
            if written.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut) {
                hub.cut(&client);
            }
            false
        }
        () = client.cut.notified() => false,
        () = slot.evicted() => {
            client.outbox.say(TOO_MANY_CONNECTIONS);
            true
        }
    };
    hub.leave(&client);
    if reads_on && let Ok(Err(error)) = timeout(FAREWELL, writing).await {
        tracing::debug!(client = id, %error, "a NATS client was gone before its last messages");
    }
}

/// Sends "maximum connections exceeded" to a new client, if the socket can take that at once.
pub(super) fn refuse(stream: &TcpStream) {
    stream.try_write(TOO_MANY_CONNECTIONS.as_bytes()).ok();
}

/// The version says which protocol features there are; it is no product's version.
fn greeting(hub: &Hub, id: u64, stream: &TcpStream, peer: SocketAddr) -> String {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(client = id, %error, "small messages to a NATS client may be late");
    }
    let here = stream.local_addr().ok();
    let info = json!({
        "server_id": "GLASSMESH",
        "server_name": "embedded",
        "version": "2.10.0",
        "proto": 1,
        "host": here.map(|address| address.ip()),
        "port": here.map(|address| address.port()),
        "headers": true,
        "max_payload": hub.limits.max_payload,
        "client_id": id,
        "client_ip": peer.ip(),
    });
    format!("INFO {info}\r\n")
}

async fn write(outbox: &Outbox, mut writer: OwnedWriteHalf, deadline: Duration) -> io::Result<()> {
    while let Some(mut chunk) = outbox.take().await {
        let whole_chunk = async {
            while chunk.has_remaining() {
                match writer.write_buf(&mut chunk).await? {
                    0 => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                    bytes => outbox.written(bytes),
                }
            }
            Ok(())
        };
        timeout(deadline, whole_chunk).await??;
    }
    writer.shutdown().await
}

/// Why a session ends.
enum Ended {
    Gone,
    Violation(Violation),
}

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<Violation> for Ended {
    fn from(what: Violation) -> Self {
        Self::Violation(what)
    }
}

struct Session<'a> {
    hub: &'a Hub,
    client: &'a Arc<Client>,
    slot: &'a ConnectionSlot,
    reader: OwnedReadHalf,
    buffer: BytesMut,
}

impl Session<'_> {
    /// Runs the session; never returns `Ok`.
    async fn run(&mut self) -> Result<(), Ended> {
        loop {
            let line = self.line().await?;
            self.slot.note_activity();
            let line = str::from_utf8(&line).map_err(|_| UNKNOWN_OPERATION)?;
            let arguments = line.split_once([' ', '\t']).map_or("", |(_, rest)| rest.trim());
            if arguments.len() > LONGEST_ARGUMENTS {
                return Err(LINE_TOO_LONG.into());
            }
            let done = match Operation::parse(line)? {
                Operation::Ping => {
                    self.client.outbox.say("PONG\r\n");
                    false
                }
                Operation::Pong => false,
                Operation::Connect(options) => {
                    *self.client.options.write() = options;
                    self.slot.pin();
                    true
                }
                Operation::Subscribe { subject, .. } if !subjects::is_valid(subject) => {
                    self.client.outbox.say(INVALID_SUBJECT);
                    false
                }
                Operation::Subscribe { subject, queue, id } => {
                    let done = self.hub.subscribe(self.client, subject, queue, id);
                    if done.is_err() {
                        self.client.outbox.say(TOO_MANY_SUBSCRIPTIONS);
                    }
                    done.is_ok()
                }
                Operation::Unsubscribe { id, after } => {
                    self.hub.unsubscribe(self.client, id, after);
                    true
                }
                Operation::Publish(announcement) => {
                    self.publish(announcement).await?;
                    true
                }
            };
            if done && self.client.options.read().verbose {
                self.client.outbox.say("+OK\r\n");
            }
        }
    }

    async fn publish(&mut self, announcement: Announcement<'_>) -> Result<(), Ended> {
        let Announcement { subject, reply, headers, size } = announcement;
        if size > self.hub.limits.max_payload {
            return Err(PAYLOAD_TOO_LONG.into());
        }
        let lease = if size > UNLEASED { Some(self.hub.memory.lease(size).await) } else { None };
        let body =
            match (&lease, timeout(self.hub.limits.read_deadline, self.body(size, lease.as_ref())))
            {
                (None, reading) => reading.await,
                (Some(lease), reading) => tokio::select! {
                    body = reading => body,
                    () = lease.revoked() => return Err(STALE.into()),
                },
            };
        let body = body.map_err(|_| STALE)??;
        match self.hub.publish(self.client, &Message { subject, reply, headers, body: &body }) {
            Routed::Delivered => {}
            Routed::Crowded(receiver) => {
                // Goes on in either case: the client's next message checks again.
                timeout(PAUSE, receiver.outbox.has_room()).await.ok();
            }
            Routed::NoReceiver => {
                let options = *self.client.options.read();
                if let Some(reply) = reply
                    && options.no_responders
                    && options.headers
                {
                    self.hub.refuse(self.client, reply);
                }
            }
        }
        Ok(())
    }

    /// The next whole line; a client may be silent before a line, but only briefly within one.
    async fn line(&mut self) -> Result<Bytes, Ended> {
        loop {
            if let Some(end) =
                self.buffer.iter().take(LONGEST_LINE + 1).position(|byte| *byte == b'\n')
            {
                let mut line = self.buffer.split_to(end + 1).freeze();
                line.truncate(end);
                if line.ends_with(b"\r") {
                    line.truncate(end - 1);
                }
                return Ok(line);
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err(LINE_TOO_LONG.into());
            }
            if self.buffer.is_empty() {
                self.fill().await?;
            } else {
                let reading = self.reader.read_buf(&mut self.buffer);
                let read = timeout(self.hub.limits.read_deadline, reading).await;
                if read.map_err(|_| STALE)?? == 0 {
                    return Err(Ended::Gone);
                }
            }
        }
    }

    async fn body(&mut self, size: usize, lease: Option<&Lease>) -> Result<Bytes, Ended> {
        let with_end = size + 2;
        self.buffer.reserve(with_end.saturating_sub(self.buffer.len()));
        while self.buffer.len() < with_end {
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Err(Ended::Gone);
            }
            lease.into_iter().for_each(Lease::progress);
        }
        let body = self.buffer.split_to(size).freeze();
        let end = self.buffer.split_to(2);
        if size > UNLEASED {
            // A buffer that grew large is not kept.
            self.buffer = BytesMut::from(&*self.buffer);
        }
        if *end != *b"\r\n" {
            return Err(UNKNOWN_OPERATION.into());
        }
        Ok(body)
    }

    /// Reads some more bytes; sends a `PING` to a silent client.
    async fn fill(&mut self) -> Result<(), Ended> {
        for unanswered in 0.. {
            match timeout(self.hub.limits.ping_interval, self.reader.read_buf(&mut self.buffer))
                .await
            {
                Ok(Ok(0)) => return Err(Ended::Gone),
                Ok(read) => return Ok(read.map(drop)?),
                Err(_) if unanswered < UNANSWERED_PINGS => self.client.outbox.say("PING\r\n"),
                Err(_) => break,
            }
        }
        Err(STALE.into())
    }
}
