//! A WebSocket client of frames, without a library: a test decides about every bit.
//! <https://www.rfc-editor.org/rfc/rfc6455#section-5.2>

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::PATIENCE;

/// The opcodes.
pub const CONTINUATION: u8 = 0;
/// Text.
pub const TEXT: u8 = 1;
/// Binary data.
pub const BINARY: u8 = 2;
/// The end.
pub const CLOSE: u8 = 8;
/// A ping.
pub const PING: u8 = 9;
/// The answer to a ping.
pub const PONG: u8 = 10;
/// The bit of a message's last frame.
pub const FIN: u8 = 0x80;

/// The key of the specification's example, and the answer to it.
const KEY: (&str, &str) = ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

/// A frame of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub first: u8,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code and the reason of a close frame; `None` if it has none, or is another frame.
    pub fn close(&self) -> Option<(u16, String)> {
        let (code, reason) = self.payload.split_at_checked(2)?;
        let code = u16::from_be_bytes(code.try_into().ok()?);
        (self.first == FIN | CLOSE).then(|| (code, String::from_utf8_lossy(reason).into_owned()))
    }
}

/// One connection.
pub struct WebSocket {
    stream: TcpStream,
    unread: Vec<u8>,
    /// The head of the server's answer.
    pub head: String,
}

impl WebSocket {
    /// Sends the opening handshake with further headers; a header replaces one of the same name, and an empty one removes it. The
    /// answer is in [`WebSocket::head`].
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn shake(port: u16, request: &str, headers: &[(&str, &str)], receive: u32) -> Self {
        let host = format!("127.0.0.1:{port}");
        let own = [
            ("Host", host.as_str()),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", KEY.0),
        ];
        let replaced = |name: &str| headers.iter().any(|(other, _)| *other == name);
        let own = own.into_iter().filter(|(name, _)| !replaced(name));
        let all = own.chain(headers.iter().copied()).filter(|(_, value)| !value.is_empty());
        let lines: String = all.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(receive).expect("a small buffer");
        let address = host.parse().expect("an address");
        let mut stream = socket.connect(address).await.expect("the gateway listens");
        stream.set_nodelay(true).expect("an open connection");
        let text = format!("{request} HTTP/1.1\r\n{lines}\r\n");
        stream.write_all(text.as_bytes()).await.expect("it is read");
        let mut new = Self { stream, unread: Vec::new(), head: String::new() };
        while !new.unread.windows(4).any(|end| end == b"\r\n\r\n") {
            assert!(new.more().await, "no answer: {:?}", String::from_utf8_lossy(&new.unread));
        }
        let end = new.unread.windows(4).position(|end| end == b"\r\n\r\n").unwrap_or_default() + 4;
        new.head =
            String::from_utf8_lossy(&new.unread.drain(..end).collect::<Vec<_>>()).into_owned();
        new
    }

    /// Opens a connection to the live updates.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn open(port: u16) -> Self {
        Self::open_with_buffer(port, 64 * 1024).await
    }

    /// [`WebSocket::open`] with a limit of the bytes that wait to be read, so that a client that does not read is noticed soon.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn open_with_buffer(port: u16, receive: u32) -> Self {
        let new = Self::shake(port, "GET /api/live", &[], receive).await;
        assert!(new.head.starts_with("HTTP/1.1 101 ") && new.head.contains(KEY.1), "{}", new.head);
        new
    }

    /// Reads what has come; `false` at the end.
    async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
        // A reset is an end, too.
        read.expect("bytes, or the end, in time").unwrap_or(0) > 0
    }

    /// Writes bytes as they are; a connection that is closed already takes none.
    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.ok();
    }

    /// The next frame; `None` at the end.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, length)) = parse(&self.unread) {
                self.unread.drain(..length);
                return Some(frame);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &Value) {
        self.write(&frame(FIN | TEXT, message.to_string().as_bytes())).await;
    }

    /// The next message; answers pings on the way. `Err` is the close frame, without a code if there was none.
    ///
    /// # Errors
    /// The connection ends.
    ///
    /// # Panics
    /// If something else comes.
    pub async fn message(&mut self) -> Result<Value, (u16, String)> {
        loop {
            let Some(next) = self.frame().await else { return Err((0, "no close frame".into())) };
            match next.first & 0x7f {
                TEXT => return Ok(serde_json::from_slice(&next.payload).expect("JSON")),
                PING => self.write(&frame(FIN | PONG, &next.payload)).await,
                CLOSE => return Err(next.close().unwrap_or_default()),
                _ => panic!("{next:?}"),
            }
        }
    }
}

/// A masked frame.
///
/// # Panics
/// If the payload is longer than a test needs.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(0x80 | short as u8),
        middle @ ..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend((middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The first frame in these bytes, and its length; `None` if it is not complete.
fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(second & 0x80, 0, "a server masks nothing");
    let (head, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(head..head + length)?.to_vec();
    Some((Frame { first, payload }, head + length))
}
