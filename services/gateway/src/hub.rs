//! The live updates of all orders, for all WebSockets.
//!
//! ```text
//!  NATS live.orders.> ──▶ fill ──▶ ring of the latest updates ──▶ a position in the ring for each WebSocket
//! ```
//!
//! Nothing is queued for a WebSocket: it reads the ring from its own position on, and one that falls out of the ring is too slow.
//! The hub subscribes while a WebSocket is open and for a while afterwards, so that one that comes back can continue; otherwise it
//! costs nothing.

mod fill;
mod ring;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use proto::values::{CustomerId, OrderId};
use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

use crate::{
    outbound::{StatusUpdate, Update},
    resources::OrderUpdate,
};

pub(crate) use fill::fill;
use ring::Ring;

/// How long a new WebSocket waits for the subscription to NATS: subscribing takes one round trip.
const FILLING: Duration = Duration::from_secs(2);

/// The hub; it lives as long as the process.
pub(crate) struct Hub {
    /// The process, for clients that come back to another one.
    epoch: String,
    state: Mutex<State>,
    /// The number of the newest entry.
    newest: watch::Sender<u64>,
    /// The WebSockets that are open.
    open: watch::Sender<usize>,
    /// Whether updates arrive.
    filled: watch::Sender<bool>,
}

struct State {
    ring: Ring<Entry>,
    /// A WebSocket had to begin while no updates arrived.
    missed: bool,
}

/// An entry of the ring.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// An update.
    Update(Arc<Shared>),
    /// Updates may have been missed here.
    Lapse,
}

/// An update, serialized once for all WebSockets.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) order: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) status: Option<StatusUpdate>,
    /// The fields of its JSON object, without the braces.
    pub(crate) fields: Box<str>,
}

/// An open WebSocket, counted until it is dropped.
pub(crate) struct Member {
    hub: Arc<Hub>,
}

impl Hub {
    /// Keeps at most so many updates.
    pub(crate) fn new(updates: usize) -> Arc<Self> {
        let mut epoch = Uuid::new_v4().simple().to_string();
        epoch.truncate(16);
        Arc::new(Self {
            epoch,
            state: Mutex::new(State { ring: Ring::new(updates), missed: false }),
            newest: watch::Sender::new(0),
            open: watch::Sender::new(0),
            filled: watch::Sender::new(false),
        })
    }

    /// Opens a WebSocket; `None` if the maximum is open.
    pub(crate) fn join(self: &Arc<Self>, most: usize) -> Option<Member> {
        let joined = self.open.send_if_modified(|open| {
            let fits = *open < most;
            *open += usize::from(fits);
            fits
        });
        joined.then(|| Member { hub: Arc::clone(self) })
    }

    fn push(&self, what: What) {
        let mut state = self.state.lock();
        state.ring.push(|seq| Entry { seq, what });
        self.newest.send_replace(state.ring.newest());
    }

    fn add(&self, update: &Update) {
        let mut state = self.state.lock();
        state.ring.push(|seq| Entry { seq, what: What::Update(Arc::new(shared(seq, update))) });
        self.newest.send_replace(state.ring.newest());
    }

    /// Updates arrive from now on; WebSockets that began before may have missed some.
    fn begin(&self) {
        self.filled.send_replace(true);
        if std::mem::take(&mut self.state.lock().missed) {
            self.push(What::Lapse);
        }
    }

    /// No updates arrive from now on.
    fn end(&self) {
        self.filled.send_replace(false);
        let mut state = self.state.lock();
        if *self.open.borrow() == 0 {
            state.ring.clear();
            self.newest.send_replace(state.ring.newest());
        } else {
            state.missed = true;
        }
    }
}

fn shared(seq: u64, update: &Update) -> Shared {
    let json = OrderUpdate {
        seq: Some(seq),
        order_id: update.order_id.to_string(),
        customer: update.customer.to_string(),
        kind: update.event_type.clone(),
        at: update.at.clone(),
        status: update.status.map(|status| status.status),
        reason: update.status.and_then(|status| status.reason),
        revision: update.status.map(|status| status.revision),
        traceparent: update.traceparent.clone(),
        trace_id: None,
    };
    // A struct of texts and numbers can always be serialized.
    let json = serde_json::to_string(&json).unwrap_or_default();
    Shared {
        order: update.order_id.clone(),
        customer: update.customer.clone(),
        status: update.status,
        fields: json.trim_start_matches('{').trim_end_matches('}').into(),
    }
}

impl Member {
    pub(crate) fn epoch(&self) -> &str {
        &self.hub.epoch
    }

    /// The number of the newest entry.
    pub(crate) fn newest(&self) -> u64 {
        *self.hub.newest.borrow()
    }

    /// Returns when there is an entry after this number.
    pub(crate) async fn after(&self, seq: u64) {
        let mut newest = self.hub.newest.subscribe();
        // The hub has the sender.
        newest.wait_for(|newest| *newest > seq).await.ok();
    }

    /// Up to `most` entries after this number; `None` if some of them are no longer kept, or if there is no such number.
    pub(crate) fn read(&self, seq: u64, most: usize) -> Option<Vec<Entry>> {
        self.hub.state.lock().ring.after(seq, most)
    }

    /// Waits until updates arrive; returns whether they do. If not, there will be a lapse when they do.
    pub(crate) async fn is_filled(&self) -> bool {
        let mut filled = self.hub.filled.subscribe();
        if timeout(FILLING, filled.wait_for(|filled| *filled)).await.is_ok() {
            return true;
        }
        self.hub.state.lock().missed = true;
        false
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.hub.open.send_modify(|open| *open -= 1);
    }
}
