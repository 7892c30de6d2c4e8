//! The states of an order and its transitions. Pure: no clock, no I/O.
//!
//! Facts arrive from three topics and from the customer, at least once and in any order across topics. So an order stores the
//! facts, and its status is a function of them: in whichever order they arrive, the result is the same.
//!
//! ```text
//!  placed ──authorized──▶ paid ──dispatched──▶ dispatched ──delivered──▶ completed
//!    │ declined, failed,    │ customer
//!    │ expired, customer    │
//!    └──────────────────────┴──▶ cancelled
//! ```

mod request;

use chassis::telemetry::Kept;
use proto::values::{CustomerId, Money, OrderId, Quantity, Sku, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use request::{Request, RequestedItem};

/// The status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Placed,
    Paid,
    Dispatched,
    Completed,
    Cancelled,
}

impl Status {
    pub(crate) const ALL: [Self; 5] =
        [Self::Placed, Self::Paid, Self::Dispatched, Self::Completed, Self::Cancelled];

    /// Whether the order never changes again.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Dispatched => "dispatched",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    PaymentDeclined,
    PaymentUnavailable,
    Customer,
    ReservationExpired,
}

impl Reason {
    pub(crate) const ALL: [Self; 4] =
        [Self::PaymentDeclined, Self::PaymentUnavailable, Self::Customer, Self::ReservationExpired];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PaymentDeclined => "payment_declined",
            Self::PaymentUnavailable => "payment_unavailable",
            Self::Customer => "customer",
            Self::ReservationExpired => "reservation_expired",
        }
    }
}

/// Something that happened, as reported by another service or the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    PaymentAuthorized,
    PaymentDeclined,
    PaymentFailed,
    ShipmentDispatched,
    ShipmentDelivered,
    /// The hold on the stock expired.
    ReservationExpired,
    CustomerCancelled,
}

/// A fact about an order, reported by another service.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) order: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) fact: Fact,
}

/// A quantity of one product, and its price when the order was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) sku: Sku,
    pub(crate) quantity: Quantity,
    /// The price of one piece, in the smallest unit of the order's currency.
    pub(crate) unit_minor: i64,
}

/// A status and when the order reached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) status: Status,
    pub(crate) at: Timestamp,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) items: Vec<Item>,
    pub(crate) total: Money,
    /// The fingerprint of the request that the idempotency key was used for.
    pub(crate) fingerprint: String,
    /// The trace of the order, which everything that happens to it continues.
    pub(crate) trace: Kept,
    pub(crate) progress: Progress,
}

/// The orders that a list selects: those of a customer, newest first.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) customer: CustomerId,
    /// Only orders with this status.
    pub(crate) status: Option<Status>,
    /// Only orders after this position.
    pub(crate) after: Option<Position>,
    /// The most orders of a page.
    pub(crate) size: usize,
}

/// A position in a list of orders: after this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) placed_at: Timestamp,
    pub(crate) id: OrderId,
}

/// Some orders of a list, and where the next page begins.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) orders: Vec<Order>,
    /// `None` on the last page.
    pub(crate) next: Option<Position>,
}

impl Page {
    /// The page that begins with `found`, of which there is one order more than the page has if there is a next page.
    pub(crate) fn new(mut found: Vec<Order>, size: usize) -> Self {
        let is_last = found.len() <= size;
        found.truncate(size);
        let next = found
            .last()
            .filter(|_| !is_last)
            .map(|last| Position { placed_at: last.progress.placed_at(), id: last.id.clone() });
        Self { orders: found, next }
    }
}

/// The part of an order that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) authorized: bool,
    pub(crate) dispatched: bool,
    pub(crate) delivered: bool,
    pub(crate) cancelled: Option<Reason>,
    /// Oldest first; never empty.
    pub(crate) history: Vec<Step>,
}

impl Progress {
    pub(crate) fn placed(at: Timestamp) -> Self {
        let history = vec![Step { status: Status::Placed, at }];
        Self { authorized: false, dispatched: false, delivered: false, cancelled: None, history }
    }

    pub(crate) fn status(&self) -> Status {
        self.history.last().map_or(Status::Placed, |step| step.status)
    }

    pub(crate) fn placed_at(&self) -> Timestamp {
        self.history.first().map_or(Timestamp::from_micros(0), |step| step.at)
    }

    /// The number of statuses that the order has had.
    pub(crate) fn revision(&self) -> i32 {
        i32::try_from(self.history.len()).unwrap_or(i32::MAX)
    }

    /// The statuses that the order reached since `before`.
    pub(crate) fn since(&self, before: &Self) -> &[Step] {
        self.history.get(before.history.len()..).unwrap_or_default()
    }

    /// Whether the customer may still cancel the order: it has not left the warehouse.
    pub(crate) fn is_cancellable(&self) -> bool {
        matches!(self.status(), Status::Placed | Status::Paid) && !self.dispatched
    }

    /// Records a fact, and appends the statuses that follow from it to the history. A fact that is known, or arrives after the
    /// end, changes nothing.
    pub(crate) fn record(&mut self, fact: Fact, at: Timestamp) {
        if self.status().is_final() {
            return;
        }
        match fact {
            Fact::PaymentAuthorized => self.authorized = true,
            Fact::ShipmentDispatched => self.dispatched = true,
            Fact::ShipmentDelivered => (self.dispatched, self.delivered) = (true, true),
            Fact::PaymentDeclined if !self.authorized => {
                return self.cancel(Reason::PaymentDeclined, at);
            }
            Fact::PaymentFailed if !self.authorized => {
                return self.cancel(Reason::PaymentUnavailable, at);
            }
            // A paid order is not cancelled: its stock is about to be committed, and `inventory` holds it until then.
            Fact::ReservationExpired if !self.authorized => {
                return self.cancel(Reason::ReservationExpired, at);
            }
            Fact::CustomerCancelled if self.is_cancellable() => {
                return self.cancel(Reason::Customer, at);
            }
            Fact::PaymentDeclined
            | Fact::PaymentFailed
            | Fact::ReservationExpired
            | Fact::CustomerCancelled => return,
        }
        self.advance(at);
    }

    fn cancel(&mut self, reason: Reason, at: Timestamp) {
        self.cancelled = Some(reason);
        self.history.push(Step { status: Status::Cancelled, at });
    }

    /// Takes every status that the facts allow, one after the other, so that no order skips one, whichever fact came first.
    fn advance(&mut self, at: Timestamp) {
        let paid = self.authorized;
        let dispatched = paid && self.dispatched;
        let completed = dispatched && self.delivered;
        for (reached, status) in
            [(paid, Status::Paid), (dispatched, Status::Dispatched), (completed, Status::Completed)]
        {
            if reached && self.status() < status {
                self.history.push(Step { status, at });
            }
        }
    }
}

#[cfg(test)]
#[path = "domain/tests.rs"]
mod tests;
