//! A circuit breaker: if half of the calls to a destination fail, no more calls are made for a while. So the destination can
//! recover, and callers do not wait for it in vain.
//!
//! ```text
//!  closed ──half of the calls in the window failed──▶ open ──after a while──▶ half-open: one call, a probe
//!    ▲                                                  ▲                        │ failed      │ succeeded
//!    │                                                  └────────────────────────┘             │
//!    └─────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A rejected call was never made: [`Error::postponed`] returns how long to wait, and the consumer does not count it as an
//! attempt.

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
        /// State of the breaker of a destination: 0 closed, all calls are made; 1 half-open, one call at a time; 2 open, no
        /// calls.
        state: IntGaugeVec["destination"],
        /// Calls that were not made because the breaker was open.
        rejections_total: IntCounterVec["destination"],
    }
}

/// The fewest calls in the window that may open the breaker: a single order whose charge is not answered makes three calls.
const ENOUGH: u32 = 20;
/// How long no calls are made: most restarts take no longer, and a customer still waits for so long.
const OPEN: Duration = Duration::from_secs(5);
/// The wait of a call that is rejected because another call is the probe: a probe is answered quickly, or not at all.
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
    /// Incremented at each change of phase. Results of calls from an earlier epoch are ignored: they say nothing about the
    /// present.
    epoch: u64,
}

enum Phase {
    Closed(Window),
    Open { until: Instant },
    HalfOpen { probed: bool },
}

/// The breaker rejected the call: it was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    destination: &'static str,
    /// How long to wait before the next attempt.
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
        let wait = rejected.retry_after;
        Self::new(Kind::Unavailable, "the circuit breaker is open")
            .postponed_for(wait)
            .source(rejected)
    }
}

/// The permission to make one call. If it is dropped without a result, the call counts neither as a success nor as a failure.
#[must_use = "report to the breaker whether the call succeeded"]
pub struct Permit {
    breaker: Breaker,
    epoch: u64,
    probe: bool,
}

impl Breaker {
    /// A closed breaker.
    pub(crate) fn new(destination: &'static str, registry: &Registry, metrics: &Metrics) -> Self {
        let rejections = metrics.rejections_total.with_label_values(&[destination]);
        let state = State { phase: Phase::Closed(Window::default()), epoch: 0 };
        let inner = Arc::new(Inner { destination, state: Mutex::new(state), rejections });
        let (shown, gauge) =
            (Arc::downgrade(&inner), metrics.state.with_label_values(&[destination]));
        registry.on_scrape(move || gauge.set(shown.upgrade().map_or(0, |inner| inner.shown())));
        Self(inner)
    }

    /// Asks for the permission to make a call now.
    ///
    /// # Errors
    /// The call was rejected; retry after [`Rejected::retry_after`].
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
    /// The state for the metric. It becomes half-open as soon as a probe would be let through, even if there is no call.
    fn shown(&self) -> i64 {
        match self.state.lock().phase {
            Phase::Closed(_) => 0,
            Phase::Open { until } if until > Instant::now() => 2,
            Phase::Open { .. } | Phase::HalfOpen { .. } => 1,
        }
    }
}

impl Permit {
    /// The destination answered the call, whatever the answer.
    pub fn succeeded(mut self) {
        self.record(true);
    }

    /// The destination did not answer the call, or it answered that it is unable to serve it.
    pub fn failed(mut self) {
        self.record(false);
    }

    fn record(&mut self, succeeded: bool) {
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
