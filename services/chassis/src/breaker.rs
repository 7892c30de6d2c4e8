//! A circuit breaker: who fails most of the time is left alone for a while, so that it can recover, and nobody waits for it.
//!
//! ```text
//!  closed ──half of the calls in the window failed──▶ open ──after a while──▶ half-open: one call, a probe
//!    ▲                                                  ▲                        │ failed      │ succeeded
//!    │                                                  └────────────────────────┘             │
//!    └─────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A call that is rejected was never made: [`Error::postponed`] tells how long to wait, and a consumer counts no attempt.

mod window;

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use self::window::Window;
use crate::{
    Error, Kind,
    metrics::{IntCounter, Registry},
};

crate::metrics! {
    /// Circuit breakers.
    pub(crate) struct Metrics in "mesh_breaker" {
        /// Whether calls to a destination are made: 0 closed, they are; 1 half-open, one at a time; 2 open, none.
        state: IntGaugeVec["destination"],
        /// Calls that were not made because the breaker was open.
        rejections_total: IntCounterVec["destination"],
    }
}

/// Fewer calls than this are no evidence: an order that nobody answers makes three of them.
const ENOUGH: u32 = 20;
/// How long nobody is asked: a restart of most things takes no longer, and a customer still waits for it.
const OPEN: Duration = Duration::from_secs(5);
/// How long to wait for somebody else's probe: it is answered at once, or in vain.
const PROBED: Duration = Duration::from_millis(500);

/// The breaker of one destination; cheap to clone.
#[derive(Clone)]
pub struct Breaker(Arc<Inner>);

struct Inner {
    destination: &'static str,
    state: Mutex<State>,
    rejections: IntCounter,
}

struct State {
    phase: Phase,
    /// Calls that were made before the last change prove nothing about what is now.
    epoch: u64,
}

enum Phase {
    Closed(Window),
    Open { until: Instant },
    HalfOpen { probed: bool },
}

/// The call was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    destination: &'static str,
    /// When to try again.
    pub retry_after: Duration,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was not asked: it failed too often", self.destination)
    }
}

impl std::error::Error for Rejected {}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        Self::new(Kind::Unavailable, "the circuit breaker is open").source(rejected)
    }
}

/// The leave to make one call. Dropped without a word, the call proves nothing.
#[must_use = "the breaker is to be told what became of the call"]
pub struct Permit {
    breaker: Breaker,
    epoch: u64,
    probe: bool,
}

impl Breaker {
    /// A closed one.
    pub(crate) fn new(destination: &'static str, registry: &Registry, metrics: &Metrics) -> Self {
        let rejections = metrics.rejections_total.with_label_values(&[destination]);
        let state = State { phase: Phase::Closed(Window::default()), epoch: 0 };
        let inner = Arc::new(Inner { destination, state: Mutex::new(state), rejections });
        let (shown, gauge) =
            (Arc::downgrade(&inner), metrics.state.with_label_values(&[destination]));
        registry.look(move || gauge.set(shown.upgrade().map_or(0, |inner| inner.shown())));
        Self(inner)
    }

    /// Asks whether a call may be made now.
    ///
    /// # Errors
    /// It may not; says when to ask again.
    pub fn ask(&self) -> Result<Permit, Rejected> {
        let mut state = self.0.state.lock();
        let probe = match &mut state.phase {
            Phase::Closed(_) => false,
            Phase::Open { until } if *until > Instant::now() => {
                let retry_after = *until - Instant::now();
                return Err(self.rejected(retry_after));
            }
            Phase::HalfOpen { probed: true } => return Err(self.rejected(PROBED)),
            phase @ (Phase::Open { .. } | Phase::HalfOpen { probed: false }) => {
                *phase = Phase::HalfOpen { probed: true };
                true
            }
        };
        Ok(Permit { breaker: self.clone(), epoch: state.epoch, probe })
    }

    fn rejected(&self, retry_after: Duration) -> Rejected {
        self.0.rejections.inc();
        Rejected { destination: self.0.destination, retry_after }
    }

    fn learn(&self, epoch: u64, probe: bool, succeeded: bool) {
        let mut state = self.0.state.lock();
        if state.epoch != epoch {
            return;
        }
        let destination = self.0.destination;
        match &mut state.phase {
            Phase::HalfOpen { .. } if probe && succeeded => {
                tracing::info!(
                    destination,
                    "the circuit breaker is closed: there are answers again"
                );
                state.change(Phase::Closed(Window::default()));
            }
            Phase::HalfOpen { .. } if probe => state.open(),
            Phase::Closed(window) => {
                window.count(succeeded);
                let (calls, failures) = window.sums();
                if calls >= ENOUGH && failures * 2 >= calls {
                    tracing::warn!(destination, calls, failures, "the circuit breaker is open");
                    state.open();
                }
            }
            Phase::Open { .. } | Phase::HalfOpen { .. } => {}
        }
    }
}

impl State {
    fn open(&mut self) {
        self.change(Phase::Open { until: Instant::now() + OPEN });
    }

    fn change(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
    }
}

impl Inner {
    /// Once it would let a probe through it is half-open, whether or not anybody asks.
    fn shown(&self) -> i64 {
        match self.state.lock().phase {
            Phase::Closed(_) => 0,
            Phase::Open { until } if until > Instant::now() => 2,
            Phase::Open { .. } | Phase::HalfOpen { .. } => 1,
        }
    }
}

impl Permit {
    /// The call was answered, whatever the answer.
    pub fn succeeded(mut self) {
        self.told(true);
    }

    /// The call was not answered, or the destination says that it cannot.
    pub fn failed(mut self) {
        self.told(false);
    }

    fn told(&mut self, succeeded: bool) {
        self.breaker.learn(self.epoch, self.probe, succeeded);
        self.probe = false;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.breaker.0.state.lock();
        if self.probe && state.epoch == self.epoch {
            state.phase = Phase::HalfOpen { probed: false };
        }
    }
}

#[cfg(test)]
mod tests;
