//! The protocol itself, as a client in a terminal sees it.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::server::{PATIENCE, Server};

/// A TCP connection to the server, without a client library.
pub(crate) struct Wire(TcpStream);

impl Wire {
    /// Connects, and reads the server's greeting.
    pub(crate) async fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut wire = Self(stream);
        let mut greeting = Vec::new();
        while !greeting.ends_with(b"\r\n") {
            greeting.push(wire.0.read_u8().await.unwrap());
        }
        assert!(greeting.starts_with(b"INFO {"));
        wire
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Sends the text in pieces that are not split at lines.
    async fn send_in_pieces(&mut self, text: &str) {
        for piece in text.as_bytes().chunks(7) {
            self.0.write_all(piece).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Asserts that the server sends this text next.
    pub(crate) async fn expect(&mut self, text: &str) {
        let mut got = vec![0; text.len()];
        let read = timeout(PATIENCE, self.0.read_exact(&mut got)).await;
        assert_eq!(String::from_utf8_lossy(&got), text, "{read:?}");
    }

    /// Asserts that the server sends nothing more and has closed the connection.
    pub(crate) async fn expect_end(&mut self) {
        assert_eq!(self.read_to_end().await, 0);
    }

    /// The number of bytes that come before the server closes the connection.
    pub(crate) async fn read_to_end(&mut self) -> usize {
        let (mut buffer, mut count) = (vec![0; 1 << 16], 0);
        // A reset also ends the connection.
        while let bytes @ 1.. =
            timeout(PATIENCE, self.0.read(&mut buffer)).await.expect("an end").unwrap_or(0)
        {
            count += bytes;
        }
        count
    }
}

pub(crate) async fn verbose_mode_confirms_every_operation(server: Server) {
    let mut wire = Wire::open(&server).await;
    wire.send("CONNECT {\"verbose\":true}\r\nSUB a 1\r\nUNSUB 1\r\nPUB a 2\r\nhi\r\nPING\r\n")
        .await;
    wire.expect("+OK\r\n+OK\r\n+OK\r\n+OK\r\nPONG\r\n").await;
}

pub(crate) async fn an_unknown_operation_ends_the_connection(server: Server) {
    let mut wire = Wire::open(&server).await;
    wire.send("FOO\r\n").await;
    wire.expect("-ERR 'Unknown Protocol Operation'\r\n").await;
    wire.expect_end().await;
}

pub(crate) async fn an_invalid_subject_is_refused(server: Server) {
    let mut wire = Wire::open(&server).await;
    wire.send("CONNECT {\"verbose\":false}\r\nSUB a..b 1\r\nPING\r\n").await;
    wire.expect("-ERR 'Invalid Subject'\r\nPONG\r\n").await;
}

pub(crate) async fn operations_in_any_case_spacing_and_chunking_are_parsed(server: Server) {
    let mut wire = Wire::open(&server).await;
    wire.send_in_pieces(
        "connect {\"verbose\":false}\r\nsub\tx.y  9\r\npub x.y   3\r\nabc\r\nping\r\n",
    )
    .await;
    wire.expect("MSG x.y 9 3\r\nabc\r\nPONG\r\n").await;
}

pub(crate) async fn a_client_without_header_support_receives_no_headers(server: Server) {
    let (mut plain, mut modern) = (Wire::open(&server).await, Wire::open(&server).await);
    plain.send("CONNECT {\"verbose\":false}\r\nSUB a 1\r\nPING\r\n").await;
    plain.expect("PONG\r\n").await;
    modern.send("CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB a 1\r\n").await;
    modern.send("HPUB a 18 20\r\nNATS/1.0\r\nk: v\r\n\r\nhi\r\n").await;
    modern.expect("HMSG a 1 18 20\r\nNATS/1.0\r\nk: v\r\n\r\nhi\r\n").await;
    plain.expect("MSG a 1 2\r\nhi\r\n").await;
}

/// The maximum length of a control line limits subjects: the limit covers the text after the name of the operation.
pub(crate) async fn a_control_line_over_the_maximum_is_refused(server: Server) {
    let mut wire = Wire::open(&server).await;
    wire.send("CONNECT {\"verbose\":false}\r\nSUB > 1\r\n").await;
    let longest = "x".repeat(4096 - " 2".len());
    wire.send(&format!("PUB {longest} 2\r\nhi\r\n")).await;
    wire.expect(&format!("MSG {longest} 1 2\r\nhi\r\n")).await;
    wire.send(&format!("PUB {longest}x 2\r\nhi\r\n")).await;
    wire.expect("-ERR 'maximum control line exceeded'\r\n").await;
    wire.expect_end().await;
}

pub(crate) async fn a_payload_that_is_too_long_ends_the_connection(server: Server) {
    let mut wire = Wire::open(&server).await;
    wire.send("CONNECT {\"verbose\":false}\r\nPUB a 1048577\r\n").await;
    wire.expect("-ERR 'Maximum Payload Violation'\r\n").await;
    wire.expect_end().await;
}
