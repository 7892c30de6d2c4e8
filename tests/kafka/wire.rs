//! A client that sends exactly the requests of the test.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};

use crate::broker::{Broker, PATIENCE};

/// An encoded request, without its length.
pub(crate) fn frame<R: Request>(version: i16, id: i32, request: &R) -> BytesMut {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(id)
        .with_client_id(Some(StrBytes::from_static_str("story")));
    let mut frame = BytesMut::new();
    header.encode(&mut frame, R::header_version(version)).unwrap();
    request.encode(&mut frame, version).unwrap();
    frame
}

pub(crate) struct Wire {
    stream: TcpStream,
    asked: i32,
}

impl Wire {
    pub(crate) fn open(broker: &Broker) -> Self {
        let stream = TcpStream::connect(&broker.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, asked: 0 }
    }

    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let id = self.send(version, request);
        self.answer::<R>(id, version)
    }

    /// Sends a request without waiting for the response; returns the request's correlation id.
    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        self.asked += 1;
        self.bytes(&frame(version, self.asked, request));
        self.asked
    }

    /// Sends these bytes as one frame. Errors are ignored: the broker may have closed the connection.
    pub(crate) fn bytes(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        self.raw(&[&length, frame].concat());
    }

    /// Sends these bytes without a length.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).ok();
    }

    /// The next response, which must answer this request.
    pub(crate) fn answer<R: Request>(&mut self, id: i32, version: i16) -> R::Response {
        let mut frame = self.frame().expect("an answer");
        let header_version = R::Response::header_version(version);
        let header = ResponseHeader::decode(&mut frame, header_version).unwrap();
        assert_eq!(header.correlation_id, id);
        R::Response::decode(&mut frame, version).unwrap()
    }

    /// The next frame; `None` if the connection has ended.
    pub(crate) fn frame(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).ok()?;
        Some(frame.into())
    }
}
