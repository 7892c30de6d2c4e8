//! Arbitrary bytes, and operations of every kind with arbitrary damage, against a running server.

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use embedded_nats::{Limits, Server};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, TestRunner},
};
use tokio::runtime::{Builder, Runtime};

/// The connections of one run: a second or two.
const CONNECTIONS: u32 = 1_500;
/// The name of the server's threads.
const THREAD: &str = "fuzzed-server";
/// Far longer than any answer takes; only a failing test waits this long.
const DEADLINE: Duration = Duration::from_secs(30);
/// What damaged operations may cost, with what the allocator keeps.
const MEMORY: usize = 48 << 20;

/// Every operation of a client, also in forms that are refused.
const OPERATIONS: [&str; 20] = [
    "CONNECT {\"verbose\":true,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n",
    "CONNECT {\"verbose\":1}\r\n",
    "PING\r\n",
    "PONG\r\n",
    "SUB a.* 1\r\n",
    "SUB a.> queue 2\r\n",
    "SUB > 3\r\n",
    "SUB a..b 4\r\n",
    "UNSUB 1\r\n",
    "UNSUB 2 5\r\n",
    "UNSUB 3 18446744073709551615\r\n",
    "PUB a.b 5\r\nhello\r\n",
    "PUB a.b reply 0\r\n\r\n",
    "PUB a.b 1048577\r\n",
    "PUB a.b -1\r\n\r\n",
    "PUB a.b 5\r\nhello world\r\n",
    "HPUB a.b 12 17\r\nNATS/1.0\r\n\r\nhello\r\n",
    "HPUB a.b reply 18446744073709551615 3\r\nabc\r\n",
    "HPUB a.b 22 22\r\nNATS/1.0\r\nName: a\r\n\r\n\r\n",
    "+OK\r\n",
];

/// One change of what a client sends.
#[derive(Clone, Debug)]
enum Damage {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
    Cut(Index),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            any::<(Index, u8)>().prop_map(|(at, byte)| Self::Replace(at, byte)),
            (any::<Index>(), select(&b"\r\n \t.>*0\"{"[..]))
                .prop_map(|(at, byte)| Self::Replace(at, byte)),
            (any::<Index>(), vec(any::<u8>(), 1..64)).prop_map(|(at, more)| Self::Insert(at, more)),
            any::<(Index, Index)>().prop_map(|(from, to)| Self::Repeat(from, to)),
            any::<Index>().prop_map(Self::Cut),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len() + 1;
        match self {
            Self::Replace(at, byte) => {
                if let Some(replaced) = bytes.get_mut(at.index(length)) {
                    *replaced = *byte;
                }
            }
            Self::Insert(at, more) => {
                let at = at.index(length);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Repeat(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                bytes.extend_from_within(from.min(to)..from.max(to));
            }
            Self::Cut(at) => bytes.truncate(at.index(length)),
        }
    }
}

/// What a client sends: noise, or operations with some damage.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let operations = vec(select(&OPERATIONS[..]), 1..8).prop_map(|all| all.concat().into_bytes());
    let damaged = (operations, vec(Damage::any(), 0..4)).prop_map(|(mut bytes, damages)| {
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        bytes
    });
    // Longer than the server keeps without a lease, or than it accepts.
    let long = (0..1_100_000_usize, any::<u8>())
        .prop_map(|(length, filler)| [b"PUB a.b 1000000\r\n", &*vec![filler; length]].concat());
    prop_oneof![
        20 => vec(any::<u8>(), 0..400),
        1 => long,
        80 => damaged,
    ]
}

/// A client that subscribes and publishes like any other.
struct Client(TcpStream);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Subscribes, publishes and unsubscribes; returns whether the message arrived.
    fn is_served(&mut self) -> bool {
        let operations =
            b"CONNECT {}\r\nSUB own.subject 1\r\nPUB own.subject 2\r\nhi\r\nUNSUB 1\r\nPING\r\n";
        if self.0.write_all(operations).is_err() {
            return false;
        }
        let (mut text, mut byte) = (Vec::new(), [0]);
        while !text.ends_with(b"PONG\r\n") {
            if self.0.read_exact(&mut byte).is_err() {
                return false;
            }
            text.push(byte[0]);
        }
        String::from_utf8_lossy(&text).contains("MSG own.subject 1 2\r\nhi\r\n")
    }

    /// Sends these bytes and nothing more, and waits until the server has closed the connection.
    fn send_last(mut self, bytes: &[u8]) {
        // The server may close the connection before it has read everything.
        self.0.write_all(bytes).ok();
        self.0.shutdown(Shutdown::Write).ok();
        let end = io::copy(&mut self.0, &mut io::sink());
        let waits = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
        assert!(!end.is_err_and(|error| waits.contains(&error.kind())), "the connection is open");
    }
}

/// Counts the panics of the server's threads from now on.
fn count_panics() -> &'static AtomicUsize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some(THREAD) {
            PANICS.fetch_add(1, Relaxed);
        }
        before(panic);
    }));
    &PANICS
}

/// The resident memory of the process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

fn start() -> (Runtime, Server) {
    let runtime =
        Builder::new_multi_thread().worker_threads(1).thread_name(THREAD).enable_all().build();
    let runtime = runtime.unwrap();
    let server = Server::start(([127, 0, 0, 1], 0).into(), Limits::default());
    let server = runtime.block_on(server).unwrap();
    (runtime, server)
}

#[test]
fn damaged_operations_end_only_their_own_connection_and_cost_bounded_memory() {
    let panics = count_panics();
    let (_runtime, server) = start();
    let other = RefCell::new(Client::connect(server.address()));
    let before = resident();
    let config = Config { cases: CONNECTIONS, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&bytes(), |bytes| {
        Client::connect(server.address()).send_last(&bytes);
        prop_assert!(other.borrow_mut().is_served());
        prop_assert_eq!(panics.load(Relaxed), 0);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(Client::connect(server.address()).is_served());
    let grown = resident().saturating_sub(before);
    assert!(grown < MEMORY, "{} MiB", grown >> 20);
    // The other client and the last one: every damaged connection has left, with its subscriptions.
    let statistics = server.statistics();
    assert!(statistics.connections <= 2, "{statistics:?}");
    assert_eq!(statistics.subscriptions, 0);
}
