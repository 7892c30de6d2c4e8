//! The wire format: control lines in, messages out.

use bytes::BytesMut;
use serde::Deserialize;

/// A protocol violation by a client, in nats-server's own words; the connection ends after it.
pub(super) type Violation = &'static str;

pub(super) const UNKNOWN_OPERATION: Violation = "Unknown Protocol Operation";
pub(super) const PARSER_ERROR: Violation = "Parser Error";
pub(super) const LINE_TOO_LONG: Violation = "maximum control line exceeded";
pub(super) const PAYLOAD_TOO_LONG: Violation = "Maximum Payload Violation";
pub(super) const STALE: Violation = "Stale Connection";
/// An error that does not end the connection.
pub(super) const INVALID_SUBJECT: &str = "-ERR 'Invalid Subject'\r\n";
pub(super) const TOO_MANY_SUBSCRIPTIONS: &str = "-ERR 'maximum subscriptions exceeded'\r\n";
/// An error that does end the connection.
pub(super) const TOO_MANY_CONNECTIONS: &str = "-ERR 'maximum connections exceeded'\r\n";

/// The answer to a request on a subject without subscribers.
pub(super) const NO_RESPONDERS: &[u8] = b"NATS/1.0 503\r\n\r\n";

/// A control line from a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operation<'a> {
    Connect(Options),
    Ping,
    Pong,
    Subscribe { subject: &'a str, queue: Option<&'a str>, id: &'a str },
    Unsubscribe { id: &'a str, after: Option<u64> },
    Publish(Announcement<'a>),
}

/// The options of a client's `CONNECT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Options {
    /// The client wants an answer to every operation.
    pub(super) verbose: bool,
    /// The client wants its own messages, too.
    pub(super) echo: bool,
    /// The client supports headers.
    pub(super) headers: bool,
    /// The client wants an answer when a request has no responders.
    pub(super) no_responders: bool,
}

/// The options of a client that has not sent `CONNECT` yet.
impl Default for Options {
    fn default() -> Self {
        Self { verbose: true, echo: true, headers: false, no_responders: false }
    }
}

/// The line before a message, which says what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announcement<'a> {
    pub(super) subject: &'a str,
    pub(super) reply: Option<&'a str>,
    /// The size of the headers in bytes, if there are any.
    pub(super) headers: Option<usize>,
    /// The size of headers and payload together in bytes.
    pub(super) size: usize,
}

/// A message to be routed.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) subject: &'a str,
    pub(super) reply: Option<&'a str>,
    pub(super) headers: Option<usize>,
    pub(super) body: &'a [u8],
}

impl<'a> Operation<'a> {
    pub(super) fn parse(line: &'a str) -> Result<Self, Violation> {
        let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        match word.to_ascii_uppercase().as_str() {
            "PUB" => Self::publish(rest, false),
            "HPUB" => Self::publish(rest, true),
            "SUB" => Self::subscribe(rest),
            "UNSUB" => Self::unsubscribe(rest),
            "PING" => Ok(Self::Ping),
            "PONG" => Ok(Self::Pong),
            "CONNECT" => serde_json::from_str(rest).map(Self::Connect).map_err(|_| PARSER_ERROR),
            _ => Err(UNKNOWN_OPERATION),
        }
    }

    fn publish(rest: &'a str, with_headers: bool) -> Result<Self, Violation> {
        let words: Vec<&str> = rest.split_ascii_whitespace().collect();
        let (names, sizes) =
            words.split_at(words.len().saturating_sub(1 + usize::from(with_headers)));
        let (subject, reply) = match *names {
            [subject] => (subject, None),
            [subject, reply] => (subject, Some(reply)),
            _ => return Err(PARSER_ERROR),
        };
        let (headers, size) = match *sizes {
            [size] => (None, number(size)?),
            [headers, size] => (Some(number(headers)?), number(size)?),
            _ => return Err(PARSER_ERROR),
        };
        if headers.is_some_and(|headers| headers > size) {
            return Err(PARSER_ERROR);
        }
        Ok(Self::Publish(Announcement { subject, reply, headers, size }))
    }

    fn subscribe(rest: &'a str) -> Result<Self, Violation> {
        let mut words = rest.split_ascii_whitespace();
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(subject), Some(id), None, None) => {
                Ok(Self::Subscribe { subject, queue: None, id })
            }
            (Some(subject), queue, Some(id), None) => Ok(Self::Subscribe { subject, queue, id }),
            _ => Err(PARSER_ERROR),
        }
    }

    fn unsubscribe(rest: &'a str) -> Result<Self, Violation> {
        let mut words = rest.split_ascii_whitespace();
        let id = words.next().ok_or(PARSER_ERROR)?;
        let after =
            words.next().map(|count| count.parse().map_err(|_| PARSER_ERROR)).transpose()?;
        Ok(Self::Unsubscribe { id, after })
    }
}

fn number(word: &str) -> Result<usize, Violation> {
    word.parse().map_err(|_| PARSER_ERROR)
}

impl Message<'_> {
    /// Writes it as the subscription `id` receives it; a client that does not support headers gets the payload alone.
    pub(super) fn write(&self, id: &str, with_headers: bool, out: &mut BytesMut) {
        let (headers, body) = match self.headers {
            Some(headers) if !with_headers => (None, &self.body[headers..]),
            headers => (headers, self.body),
        };
        let mut word = |word: &str| {
            out.extend_from_slice(word.as_bytes());
            out.extend_from_slice(b" ");
        };
        word(if headers.is_some() { "HMSG" } else { "MSG" });
        word(self.subject);
        word(id);
        if let Some(reply) = self.reply {
            word(reply);
        }
        if let Some(headers) = headers {
            word(&headers.to_string());
        }
        out.extend_from_slice(body.len().to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_may_have_a_reply_and_headers() {
        let publish = |line| match Operation::parse(line) {
            Ok(Operation::Publish(it)) => (it.subject, it.reply, it.headers, it.size),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(publish("PUB a 3"), ("a", None, None, 3));
        assert_eq!(publish("pub\ta  r 3"), ("a", Some("r"), None, 3));
        assert_eq!(publish("HPUB a 12 15"), ("a", None, Some(12), 15));
        assert_eq!(publish("HPUB a r 12 15"), ("a", Some("r"), Some(12), 15));
    }

    #[test]
    fn a_malformed_line_is_refused() {
        for line in [
            "PUB",
            "PUB a",
            "PUB a b c 3",
            "PUB a -1",
            "HPUB a 3",
            "HPUB a 16 15",
            "SUB a",
            "SUB a b c d",
        ] {
            assert_eq!(Operation::parse(line), Err(PARSER_ERROR), "{line}");
        }
        for line in ["UNSUB", "UNSUB 1 x", "CONNECT", "CONNECT {", "CONNECT 1"] {
            assert_eq!(Operation::parse(line), Err(PARSER_ERROR), "{line}");
        }
        assert_eq!(Operation::parse("GET / HTTP/1.1"), Err(UNKNOWN_OPERATION));
    }

    #[test]
    fn a_client_without_headers_gets_the_payload_alone() {
        let message = Message {
            subject: "a",
            reply: Some("r"),
            headers: Some(12),
            body: b"NATS/1.0\r\n\r\nhi",
        };
        let written = |with_headers| {
            let mut out = BytesMut::new();
            message.write("9", with_headers, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        assert_eq!(written(true), "HMSG a 9 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n");
        assert_eq!(written(false), "MSG a 9 r 2\r\nhi\r\n");
    }
}
