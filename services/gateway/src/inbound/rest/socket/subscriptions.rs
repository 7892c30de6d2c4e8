//! The subscriptions of one WebSocket: which update is for which of them. Pure: no clock, no I/O.

use proto::values::{CustomerId, Invalid, OrderId};

use super::messages::Target;
use crate::{
    domain::{Cursor, Revision},
    hub::Shared,
};

/// Whose updates a subscription receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Order(OrderId),
    Customer(CustomerId),
    Everything,
}

impl TryFrom<Target> for Scope {
    type Error = String;

    fn try_from(to: Target) -> Result<Self, String> {
        let complaint = |invalid: Invalid| invalid.complaint().to_owned();
        match to {
            Target::Order(id) => OrderId::try_from(id).map(Self::Order).map_err(complaint),
            Target::Customer(id) => CustomerId::try_from(id).map(Self::Customer).map_err(complaint),
            Target::Everything(true) => Ok(Self::Everything),
            Target::Everything(false) => Err("is false; expected true".to_owned()),
        }
    }
}

impl Scope {
    fn includes(&self, update: &Shared) -> bool {
        match self {
            Self::Order(order) => *order == update.order,
            Self::Customer(customer) => *customer == update.customer,
            Self::Everything => true,
        }
    }
}

/// A subscription.
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) scope: Scope,
    /// It receives the updates after this number.
    pub(super) from: u64,
    /// The last status of its order that was sent, if it is an order's and one was sent.
    pub(super) cursor: Option<Cursor>,
    /// A status of its order is missing: the order is to be read.
    pub(super) stale: bool,
}

impl Subscription {
    pub(super) fn new(id: String, scope: Scope, from: u64) -> Self {
        Self { id, scope, from, cursor: None, stale: false }
    }

    /// Whether the update is to be sent for this subscription; marks it as stale if a status before it is missing.
    pub(super) fn takes(&mut self, update: &Shared) -> bool {
        if !self.scope.includes(update) {
            return false;
        }
        let (Scope::Order(_), Some(status)) = (&self.scope, update.status) else { return true };
        let mut cursor = self.cursor.unwrap_or_default();
        let fits = match cursor.compare(status.revision) {
            _ if self.stale => false,
            Revision::Duplicate => false,
            Revision::Gap if self.cursor.is_some() => {
                self.stale = true;
                false
            }
            Revision::Next | Revision::Gap => true,
        };
        if fits {
            cursor.advance(status.revision);
            self.cursor = Some(cursor);
        }
        fits
    }
}

/// All subscriptions of one WebSocket.
#[derive(Default)]
pub(super) struct Subscriptions(Vec<Subscription>);

impl Subscriptions {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|one| one.id == id)
    }

    pub(super) fn add(&mut self, subscription: Subscription) {
        self.0.push(subscription);
    }

    /// Whether there was such a subscription.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|one| one.id != id);
        self.0.len() < before
    }

    /// The subscriptions for which the update with this number is to be sent.
    pub(super) fn takers(&mut self, seq: u64, update: &Shared) -> Vec<&str> {
        let takers = self.0.iter_mut().filter_map(|one| {
            let takes = one.from < seq && one.takes(update);
            takes.then_some(&*one.id)
        });
        takers.collect()
    }

    /// The subscriptions that a lapse with this number concerns; orders among them are to be read.
    pub(super) fn lapsed(&mut self, seq: u64) -> Vec<String> {
        let concerned = self.0.iter_mut().filter(|one| one.from < seq);
        let ids = concerned.map(|one| {
            one.stale = matches!(one.scope, Scope::Order(_));
            one.id.clone()
        });
        ids.collect()
    }

    pub(super) fn stale(&mut self) -> Option<&mut Subscription> {
        self.0.iter_mut().find(|one| one.stale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{outbound::StatusUpdate, resources::Status};

    const ORDER: &str = "6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11";

    fn update(order: &str, revision: Option<u32>) -> Shared {
        let status = |revision| StatusUpdate { status: Status::Paid, reason: None, revision };
        Shared {
            order: OrderId::stored(order.to_owned()),
            customer: CustomerId::stored("ada".to_owned()),
            status: revision.map(status),
            fields: "".into(),
        }
    }

    fn subscriptions(targets: &[(&str, Target, u64)]) -> Subscriptions {
        let mut all = Subscriptions::default();
        for (id, to, from) in targets {
            let scope = Scope::try_from(to.clone()).unwrap();
            all.add(Subscription::new((*id).to_owned(), scope, *from));
        }
        all
    }

    #[test]
    fn an_update_is_for_its_order_its_customer_and_for_everything_after_their_beginning() {
        let mut all = subscriptions(&[
            ("order", Target::Order(ORDER.into()), 0),
            ("ada", Target::Customer("ada".into()), 0),
            ("bob", Target::Customer("bob".into()), 0),
            ("all", Target::Everything(true), 0),
            ("later", Target::Everything(true), 7),
        ]);
        assert_eq!(all.takers(7, &update(ORDER, None)), ["order", "ada", "all"]);
        assert_eq!(all.takers(8, &update("another", None)), ["ada", "all", "later"]);
    }

    #[test]
    fn an_order_takes_each_status_once_and_is_stale_after_a_gap() {
        let mut all = subscriptions(&[("order", Target::Order(ORDER.into()), 0)]);
        let mut takes = |revision| !all.takers(1, &update(ORDER, revision)).is_empty();
        assert!(takes(Some(2)), "a subscription that continues may begin with any status");
        assert!(!takes(Some(2)), "twice");
        assert!(takes(Some(3)) && takes(None));
        assert!(!takes(Some(5)), "4 is missing");
        assert!(!takes(Some(6)) && takes(None), "only statuses are read again");
        assert!(all.stale().is_some());
    }

    #[test]
    fn a_lapse_concerns_the_subscriptions_before_it_and_orders_are_read_again() {
        let mut all = subscriptions(&[
            ("all", Target::Everything(true), 0),
            ("order", Target::Order(ORDER.into()), 0),
            ("later", Target::Everything(true), 9),
        ]);
        assert_eq!(all.lapsed(9), ["all", "order"]);
        assert_eq!(all.stale().map(|one| one.id.clone()), Some("order".to_owned()));
    }

    #[test]
    fn a_target_outside_of_its_limits_is_refused() {
        for bad in [
            Target::Order("7".into()),
            Target::Customer("a.b".into()),
            Target::Customer(String::new()),
            Target::Everything(false),
        ] {
            assert!(Scope::try_from(bad.clone()).is_err(), "{bad:?}");
        }
    }
}
