//! A connection's reads and writes, which show what the client does.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::net::{Shutdown, shutdown};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::connection::Connection;

/// How long a refused client may continue to send. Closing a connection with unread bytes resets it, and the client would lose
/// the answer that says why it was refused.
const LINGER: Duration = Duration::from_secs(2);

/// The connection as hyper sees it.
pub(super) struct Socket {
    connection: Arc<Connection>,
    closing: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, closing: None }
    }

    /// Closes the sending side, and waits for the client to close its own: a protocol that refuses what the client sends ends
    /// before it has read everything.
    pub(super) async fn linger(mut self) {
        if shutdown(&self.connection.stream, Shutdown::Write).is_ok() {
            std::future::poll_fn(|task| self.poll_linger(task)).await.ok();
        }
    }

    /// Reads and discards what the client still sends, until it closes the connection or the time is over.
    fn poll_linger(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closing = self.closing.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if closing.as_mut().poll(task).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut waste = [0; 4096];
        loop {
            ready!(self.connection.stream.poll_read_ready(task))?;
            match self.connection.stream.try_read(&mut waste) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.connection.stream.poll_read_ready(task))?;
            match self.connection.stream.try_read_buf(buffer) {
                Ok(bytes) => {
                    if bytes > 0 {
                        self.connection.received(bytes);
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Socket {
    fn poll_with(
        &self,
        task: &mut Context<'_>,
        write: impl Fn() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let ready = self.connection.stream.poll_write_ready(task)?;
            if ready.is_pending() {
                self.connection.blocked();
                return Poll::Pending;
            }
            match write() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.connection.sent();
                    return Poll::Ready(written);
                }
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(task, || self.connection.stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(task, || self.connection.stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            match shutdown(&self.connection.stream, Shutdown::Write) {
                // The client has closed the connection already.
                Err(rustix::io::Errno::NOTCONN) => return Poll::Ready(Ok(())),
                other => other?,
            }
            if !self.connection.has_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_linger(task)
    }
}
