//! A client that sends exactly the requests of the test.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiVersionsRequest, RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, Request},
};

/// Far longer than any answer takes; only a failing test waits this long.
const DEADLINE: Duration = Duration::from_secs(30);

/// An encoded request with its length; `None` if the codec cannot encode this version.
pub(crate) fn frame<R: Request>(version: i16, request: &R) -> Option<Vec<u8>> {
    let header =
        RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    let mut frame = BytesMut::new();
    header.encode(&mut frame, R::header_version(version)).ok()?;
    request.encode(&mut frame, version).ok()?;
    let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
    Some([&length, &frame[..]].concat())
}

pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    pub(crate) fn call<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> io::Result<R::Response> {
        self.0.write_all(&frame(version, request).unwrap())?;
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut frame)?;
        let mut frame = Bytes::from(frame);
        ResponseHeader::decode(&mut frame, R::Response::header_version(version)).unwrap();
        Ok(R::Response::decode(&mut frame, version).unwrap())
    }

    /// Whether the broker answers a request.
    pub(crate) fn is_served(&mut self) -> bool {
        self.call(0, &ApiVersionsRequest::default()).is_ok_and(|answer| answer.error_code == 0)
    }

    /// Sends these bytes and nothing more, and waits until the broker has closed the connection.
    pub(crate) fn send_last(mut self, bytes: &[u8]) {
        // The broker may close the connection before it has read everything.
        self.0.write_all(bytes).ok();
        self.0.shutdown(Shutdown::Write).ok();
        let end = io::copy(&mut self.0, &mut io::sink());
        let waits = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
        assert!(!end.is_err_and(|error| waits.contains(&error.kind())), "the connection is open");
    }
}
