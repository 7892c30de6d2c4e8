//! WebSocket, <https://www.rfc-editor.org/rfc/rfc6455>: text messages within limits; silent, slow and unruly clients are closed.
//!
//! A connection stays one of its port's connections, and ends when the port closes it. Nothing is buffered for a client that does
//! not read: [`WebSocket::send`] waits until the message is written, up to a limit.

mod handshake;
mod rate;

use std::{borrow::Cow, time::Duration};

use axum::{
    extract::ws::{self, CloseFrame, Message},
    response::Response,
};
use bytes::Bytes;
use tokio::time::{Instant, sleep_until, timeout};
use tungstenite::error::{CapacityError, Error as WireError, ProtocolError};

pub use axum::extract::ws::Utf8Bytes;
pub use handshake::Upgrade;
pub use rate::{Budget, Rate};

use crate::text::printable;

/// The limits of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest message of the client, in bytes.
    pub message: usize,
    /// How often the client may send anything, pings and pongs included.
    pub rate: Rate,
    /// The interval of pings; the client is dead if it has sent nothing, not even a pong, for two of them.
    pub ping: Duration,
    /// How long one message may take to be written.
    pub write: Duration,
}

/// The memory for reading, for each connection: messages of clients are short.
const READ_BUFFER: usize = 4 * 1024;
/// How long a client may take to answer a close frame.
const CLOSE: Duration = Duration::from_secs(2);
/// The longest reason of a close frame, in bytes: <https://www.rfc-editor.org/rfc/rfc6455#section-5.5>
const LONGEST_REASON: usize = 123;

/// Why a connection is closed: a code of <https://www.rfc-editor.org/rfc/rfc6455#section-7.4>, and a reason for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    code: u16,
    reason: Cow<'static, str>,
}

impl Close {
    /// The server stops, or the page is left.
    pub const GOING_AWAY: u16 = 1001;
    /// The client breaks the WebSocket protocol.
    pub const PROTOCOL: u16 = 1002;
    /// The client sends a kind of data that is not accepted.
    pub const UNSUPPORTED: u16 = 1003;
    /// A text is not UTF-8.
    pub const NOT_UTF8: u16 = 1007;
    /// The client breaks a rule of this server.
    pub const POLICY: u16 = 1008;
    /// A message is too large.
    pub const TOO_LARGE: u16 = 1009;

    /// A reason longer than a close frame can carry is cut.
    pub fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        if reason.len() > LONGEST_REASON {
            let end = reason.floor_char_boundary(LONGEST_REASON);
            reason = reason[..end].to_owned().into();
        }
        Self { code, reason }
    }

    /// The code.
    pub fn code(&self) -> u16 {
        self.code
    }
}

/// Why nothing more can be received or sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client closed the connection, with or without a close frame.
    Closed,
    /// The client has sent nothing for two pings.
    Dead,
    /// The client did not read a message in time.
    Slow,
    /// The client broke the protocol or a limit.
    Violation(Close),
}

/// An open connection.
pub struct WebSocket {
    socket: ws::WebSocket,
    limits: Limits,
    budget: Budget,
    heard: Instant,
    next_ping: Instant,
}

impl WebSocket {
    fn new(socket: ws::WebSocket, limits: Limits) -> Self {
        let now = Instant::now();
        let budget = Budget::new(limits.rate, now);
        Self { socket, limits, budget, heard: now, next_ping: now + limits.ping }
    }

    /// The next text message. Answers pings, and sends its own. Safe to drop at any time, and to call again.
    ///
    /// # Errors
    /// The connection has ended, or must end.
    pub async fn receive(&mut self) -> Result<Utf8Bytes, Ended> {
        loop {
            let received = tokio::select! {
                biased;
                received = self.socket.recv() => received,
                () = sleep_until(self.next_ping) => {
                    self.ping().await?;
                    continue;
                }
            };
            let message = received.ok_or(Ended::Closed)?.map_err(ended)?;
            self.heard = Instant::now();
            if !self.budget.take(self.heard) {
                let reason = format!("more than {} messages a second", self.limits.rate.per_second);
                return Err(Ended::Violation(Close::new(Close::POLICY, reason)));
            }
            match message {
                Message::Text(text) => return Ok(text),
                Message::Binary(_) => {
                    let reason = "binary messages are not accepted; send text";
                    return Err(Ended::Violation(Close::new(Close::UNSUPPORTED, reason)));
                }
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(_) => {
                    // The answer to the close frame is written when the next message is requested.
                    timeout(CLOSE, self.socket.recv()).await.ok();
                    return Err(Ended::Closed);
                }
            }
        }
    }

    async fn ping(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        if now.duration_since(self.heard) >= 2 * self.limits.ping {
            return Err(Ended::Dead);
        }
        self.next_ping = now + self.limits.ping;
        self.write(Message::Ping(Bytes::new())).await
    }

    /// Writes a text message.
    ///
    /// # Errors
    /// The client is gone, or did not read in time.
    pub async fn send(&mut self, text: String) -> Result<(), Ended> {
        self.write(Message::Text(text.into())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), Ended> {
        match timeout(self.limits.write, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ended(error)),
            Err(_late) => Err(Ended::Slow),
        }
    }

    /// Sends a close frame, and waits a moment for the client's.
    pub async fn close(mut self, Close { code, reason }: Close) {
        let reason = reason.as_ref().into();
        let closing = async {
            let frame = Message::Close(Some(CloseFrame { code, reason }));
            if self.socket.send(frame).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        timeout(CLOSE, closing).await.ok();
    }
}

fn ended(error: axum::Error) -> Ended {
    let violation = |code, reason: String| Ended::Violation(Close::new(code, reason));
    match error.into_inner().downcast_ref::<WireError>() {
        Some(WireError::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Ended::Closed,
        Some(WireError::Protocol(what)) => {
            violation(Close::PROTOCOL, printable(&what.to_string(), LONGEST_REASON))
        }
        Some(WireError::Utf8(_)) => violation(Close::NOT_UTF8, "the text is not UTF-8".to_owned()),
        Some(WireError::Capacity(CapacityError::MessageTooLong { size, max_size })) => {
            let reason = format!("a message of {size} bytes or more; expected at most {max_size}");
            violation(Close::TOO_LARGE, reason)
        }
        _ => Ended::Closed,
    }
}

fn accept<F>(
    upgrade: ws::WebSocketUpgrade,
    hold: crate::server::upgrade::Hold,
    limits: Limits,
    session: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = ()> + Send,
{
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(limits.message)
        .max_frame_size(limits.message)
        .on_upgrade(async move |socket| hold.run(session(WebSocket::new(socket, limits))).await)
}

#[cfg(test)]
mod tests;
