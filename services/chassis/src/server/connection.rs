//! What a connection waits for: its own server, or the client.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::Duration,
};

use parking_lot::Mutex;
use rustix::net::{RecvFlags, recv};
use tokio::{net::TcpStream, time::Instant};

use super::Protocol;

/// From the first byte of a request to the end of its headers, and from the connection's begin to its first request.
const HEAD: Duration = Duration::from_secs(10);
/// Between two requests; longer than the minute after which most clients and proxies close what they keep.
const IDLE: Duration = Duration::from_secs(75);
/// Without a byte of a body that the server waits for, or without one that the client takes of an answer.
const STALL: Duration = Duration::from_secs(30);
/// A request that takes longer to arrive is a slow one, which gives way to others first.
const SLOW: Duration = Duration::from_secs(1);
/// The preface and the first frame's header: <https://www.rfc-editor.org/rfc/rfc9113#section-3.4>
const HANDSHAKE: usize = 33;

/// One connection, shared by its socket, its requests and the port.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    state: Mutex<State>,
}

struct State {
    protocol: Protocol,
    /// Bytes that have come.
    received: usize,
    /// Requests whose answers have not ended.
    exchanges: usize,
    /// Those of them that the server works on.
    working: usize,
    /// Those of them whose answers are live streams.
    streams: usize,
    /// HTTP/2, whose peers keep connections without requests, and are asked whether they are there.
    multiplexed: bool,
    /// A part of the next request has come.
    begun: bool,
    /// There is more to write than the client takes.
    blocked: bool,
    /// The last progress of the client.
    since: Instant,
    /// The client has said that it sends nothing more, or is gone: only writing tells.
    half_closed: bool,
    /// Something of a request's body was not read.
    unread: bool,
    /// Streams to be woken for a probe.
    probes: Vec<Waker>,
    round: u64,
}

/// A wait for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    since: Instant,
    limit: Option<Duration>,
    idle: bool,
}

impl Wait {
    /// Why the connection is to be closed, if it is.
    pub(super) fn missed(self, now: Instant) -> Option<&'static str> {
        let missed = now.duration_since(self.since) >= self.limit?;
        missed.then_some(if self.idle { "idle" } else { "slow" })
    }

    /// Smaller gives way earlier.
    pub(super) fn urgency(self, now: Instant) -> (bool, Instant) {
        let slow = !self.idle && now.duration_since(self.since) >= SLOW;
        (!slow, self.since)
    }
}

impl Connection {
    pub(super) fn new(stream: TcpStream, protocol: Protocol) -> Self {
        let state = State {
            protocol,
            received: 0,
            exchanges: 0,
            working: 0,
            streams: 0,
            multiplexed: false,
            begun: true,
            blocked: false,
            since: Instant::now(),
            half_closed: false,
            unread: false,
            probes: Vec::new(),
            round: 0,
        };
        Self { stream, state: Mutex::new(state) }
    }

    /// The wait for the client, if it is the client that is waited for.
    pub(super) fn waiting(&self) -> Option<Wait> {
        let state = self.state.lock();
        if state.working > 0 {
            return None;
        }
        let wait = |limit, idle| Wait { since: state.since, limit, idle };
        Some(match (state.exchanges, state.multiplexed, state.begun) {
            _ if state.blocked => wait(Some(STALL), false),
            (0, true, _) => wait(None, true),
            (0, false, true) => wait(Some(HEAD), false),
            (0, false, false) => wait(Some(IDLE), true),
            _ => wait(Some(STALL), false),
        })
    }

    pub(super) fn received(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.received = state.received.saturating_add(bytes);
        if state.exchanges > 0 {
            state.since = Instant::now();
        } else if state.protocol == Protocol::Grpc && state.received >= HANDSHAKE {
            state.multiplexed = true;
        } else if !std::mem::replace(&mut state.begun, true) {
            state.since = Instant::now();
        }
    }

    pub(super) fn sent(&self) {
        let mut state = self.state.lock();
        state.since = Instant::now();
        state.blocked = false;
    }

    pub(super) fn blocked(&self) {
        self.state.lock().blocked = true;
    }

    pub(super) fn has_unread(&self) -> bool {
        self.state.lock().unread
    }

    /// When the client's last progress was, if the client may be gone: it has closed its sending side or reset the connection.
    pub(super) fn abandoned(&self) -> Option<Instant> {
        let may_be_gone = self.peer_sends_no_more().unwrap_or(true);
        may_be_gone.then(|| self.state.lock().since)
    }

    fn peer_sends_no_more(&self) -> io::Result<bool> {
        match recv(&self.stream, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, length)) => Ok(length == 0),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(false),
            Err(reset) => Err(reset.into()),
        }
    }

    /// Looks after a live stream whose client is silent by nature: fails if the connection was reset; wakes the stream for a probe
    /// if the client may be gone.
    pub(super) fn probe(&self) -> io::Result<()> {
        if self.state.lock().streams == 0 {
            return Ok(());
        }
        if self.peer_sends_no_more()? {
            let mut state = self.state.lock();
            state.half_closed = true;
            state.round += 1;
            state.probes.drain(..).for_each(Waker::wake);
        }
        Ok(())
    }
}

/// What an exchange is about at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server works on it.
    Work,
    /// The client has to send, or to take, the next bytes.
    Client,
}

/// A request and its answer.
pub(super) struct Exchange {
    connection: Arc<Connection>,
    phase: Mutex<Phase>,
    stream: AtomicBool,
}

impl Exchange {
    pub(super) fn begin(connection: &Arc<Connection>, multiplexed: bool) -> Self {
        let mut state = connection.state.lock();
        state.exchanges += 1;
        state.working += 1;
        state.multiplexed = multiplexed;
        state.begun = false;
        drop(state);
        let (phase, stream) = (Mutex::new(Phase::Work), AtomicBool::new(false));
        Self { connection: Arc::clone(connection), phase, stream }
    }

    pub(super) fn works(&self) {
        self.set(Phase::Work);
    }

    pub(super) fn waits_for_client(&self) {
        self.set(Phase::Client);
    }

    fn set(&self, next: Phase) {
        let mut phase = self.phase.lock();
        if std::mem::replace(&mut *phase, next) == next {
            return;
        }
        let mut state = self.connection.state.lock();
        match next {
            Phase::Work => state.working += 1,
            Phase::Client => {
                state.working -= 1;
                state.since = Instant::now();
            }
        }
    }

    /// A part of the request's body was left where it is.
    pub(super) fn leaves_unread(&self) {
        self.connection.state.lock().unread = true;
    }

    /// The answer is a live stream, which ends when the server says so.
    pub(super) fn streams(&self) {
        if !self.stream.swap(true, Ordering::Relaxed) {
            self.connection.state.lock().streams += 1;
        }
    }

    /// Whether a live stream has to write something to learn whether the client is there, once a round.
    pub(super) fn has_to_probe(&self, last: &mut u64, waker: &Waker) -> bool {
        if !self.stream.load(Ordering::Relaxed) {
            return false;
        }
        let mut state = self.connection.state.lock();
        let due = state.half_closed && *last < state.round;
        *last = state.round;
        // A live stream is polled for each of its events; one waker is enough.
        if !due && !state.probes.iter().any(|known| known.will_wake(waker)) {
            state.probes.push(waker.clone());
        }
        due
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut state = self.connection.state.lock();
        state.exchanges -= 1;
        state.working -= usize::from(*self.phase.get_mut() == Phase::Work);
        state.streams -= usize::from(*self.stream.get_mut());
        state.since = Instant::now();
        if state.streams == 0 {
            state.probes.clear();
        }
    }
}
