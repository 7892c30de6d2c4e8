//! Whether a connection waits for its server, or for the client.

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
use rustix::net::{RecvFlags, recv, sockopt::set_socket_send_buffer_size};
use tokio::{net::TcpStream, time::Instant};

use super::Protocol;

/// The limit from the first byte of a request to the end of its headers, and from the start of the connection to its first
/// request.
const HEAD: Duration = Duration::from_secs(10);
/// The limit between two requests; longer than the minute after which most clients and proxies close idle connections.
const IDLE: Duration = Duration::from_secs(75);
/// The limit without progress: no byte of a body that the server waits for, or no byte that the client reads of an answer.
const STALL: Duration = Duration::from_secs(30);
/// A request that takes longer to arrive is slow: its connection is closed before others when a new one needs room.
const SLOW: Duration = Duration::from_secs(1);
/// The most bytes that wait in the system for a client of another protocol than HTTP.
const SEND_BUFFER: usize = 64 * 1024;
/// The length of the preface and the first frame's header: <https://www.rfc-editor.org/rfc/rfc9113#section-3.4>
const HANDSHAKE: usize = 33;

/// One connection, shared by its socket, its requests and the port.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    state: Mutex<State>,
}

struct State {
    protocol: Protocol,
    /// The bytes received.
    received: usize,
    /// The requests whose answers have not ended.
    exchanges: usize,
    /// Those of them that the server works on.
    working: usize,
    /// Those of them whose answers are live streams.
    streams: usize,
    /// HTTP/2: peers keep connections without requests, and pings check whether they are alive.
    multiplexed: bool,
    /// A part of the next request was received.
    begun: bool,
    /// The connection switched to another protocol, which has its own deadlines for a silent client.
    switched: bool,
    /// The client does not read as fast as the server writes.
    blocked: bool,
    /// When the client last made progress.
    since: Instant,
    /// The client has closed its sending side, or is gone: only a write shows which.
    half_closed: bool,
    /// A part of a request's body was not read.
    unread: bool,
    /// The wakers of streams that are to write a probe.
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
    /// Why the connection is to be closed; `None` if it may stay.
    pub(super) fn missed(self, now: Instant) -> Option<&'static str> {
        let missed = now.duration_since(self.since) >= self.limit?;
        missed.then_some(if self.idle { "idle" } else { "slow" })
    }

    /// The order in which connections are closed to make room: the smallest first.
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
            switched: false,
            blocked: false,
            since: Instant::now(),
            half_closed: false,
            unread: false,
            probes: Vec::new(),
            round: 0,
        };
        Self { stream, state: Mutex::new(state) }
    }

    /// The wait for the client; `None` while the server works on a request.
    pub(super) fn waiting(&self) -> Option<Wait> {
        let state = self.state.lock();
        if state.working > 0 || (state.switched && !state.blocked) {
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

    /// Records that the connection has switched to another protocol. The system would let its send buffer grow to some megabytes
    /// for a client that does not read.
    pub(super) fn switched(&self) {
        self.state.lock().switched = true;
        // It fails only on a connection that is closed already.
        set_socket_send_buffer_size(&self.stream, SEND_BUFFER).ok();
    }

    pub(super) fn has_switched(&self) -> bool {
        self.state.lock().switched
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

/// Which side an exchange waits for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server works on it.
    Work,
    /// The client has to send, or to read, the next bytes.
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

    /// Records that a part of the request's body was not read.
    pub(super) fn leaves_unread(&self) {
        self.connection.state.lock().unread = true;
    }

    /// Records that the answer is a live stream, which ends only when the server ends it.
    pub(super) fn streams(&self) {
        if !self.stream.swap(true, Ordering::Relaxed) {
            self.connection.state.lock().streams += 1;
        }
    }

    /// Whether a live stream has to write a probe, once a round, to learn whether the client is still connected.
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
