//! The charges and refunds of the simulated third party.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use uuid::Uuid;

/// The most keys that are kept, at some 250 bytes each; beyond it the oldest are dropped.
const MOST: usize = 20_000;

/// Charges by their idempotency key.
#[derive(Default)]
pub(super) struct Ledger {
    last: u64,
    keys: BTreeMap<u64, Key>,
    numbers: HashMap<Uuid, u64>,
}

enum Key {
    Charged(Entry),
    /// No charge was made with the key, and none will be.
    Voided(Uuid),
}

/// A charge to be made.
pub(super) struct Made {
    pub(super) charge_id: Uuid,
    pub(super) reference: String,
    pub(super) amount: i64,
    pub(super) currency: String,
}

/// One charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) key: String,
    pub(super) reference: String,
    pub(super) charge_id: Uuid,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) refunded: bool,
}

impl Ledger {
    /// Makes a charge once. Returns its id, or `None` if it was voided or refunded.
    pub(super) fn charge(&mut self, key: &str, made: Made) -> Option<Uuid> {
        let Made { charge_id, reference, amount, currency } = made;
        match self.find(charge_id) {
            Some(Key::Voided(_)) => return None,
            Some(Key::Charged(entry)) => return (!entry.refunded).then_some(charge_id),
            None => {}
        }
        let key = key.to_owned();
        self.add(charge_id, |number| {
            Key::Charged(Entry {
                number,
                key,
                reference,
                charge_id,
                amount,
                currency,
                refunded: false,
            })
        });
        Some(charge_id)
    }

    pub(super) fn refund(&mut self, charge_id: Uuid) {
        if let Some(Key::Charged(entry)) = self.find(charge_id) {
            entry.refunded = true;
        }
    }

    /// Voids a charge. Returns its id if the order was charged.
    pub(super) fn void(&mut self, charge_id: Uuid) -> Option<Uuid> {
        match self.find(charge_id) {
            Some(Key::Charged(entry)) => {
                entry.refunded = true;
                Some(charge_id)
            }
            Some(Key::Voided(_)) => None,
            None => {
                self.add(charge_id, |_| Key::Voided(charge_id));
                None
            }
        }
    }

    /// At most `most` charges after this number, oldest first.
    pub(super) fn after(&self, number: u64, most: usize) -> Vec<Entry> {
        let entries =
            self.keys.range(number.saturating_add(1)..).filter_map(|(_, key)| match key {
                Key::Charged(entry) => Some(entry.clone()),
                Key::Voided(_) => None,
            });
        entries.take(most.min(1000)).collect()
    }

    fn find(&mut self, charge_id: Uuid) -> Option<&mut Key> {
        self.keys.get_mut(self.numbers.get(&charge_id)?)
    }

    fn add(&mut self, charge_id: Uuid, key: impl FnOnce(u64) -> Key) {
        self.last += 1;
        self.numbers.insert(charge_id, self.last);
        self.keys.insert(self.last, key(self.last));
        if self.keys.len() > MOST
            && let Some((_, oldest)) = self.keys.pop_first()
        {
            let (Key::Charged(Entry { charge_id, .. }) | Key::Voided(charge_id)) = oldest;
            self.numbers.remove(&charge_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(charge: u128) -> Made {
        let (reference, currency) = (format!("order-{charge}"), "EUR".into());
        Made { charge_id: Uuid::from_u128(charge), reference, amount: 1999, currency }
    }

    fn listed(ledger: &Ledger) -> Vec<(u64, bool)> {
        ledger.after(0, 1000).into_iter().map(|entry| (entry.number, entry.refunded)).collect()
    }

    #[test]
    fn a_charge_is_made_once_and_refunded_once() {
        let (mut ledger, id) = (Ledger::default(), Uuid::from_u128(1));
        assert_eq!(ledger.charge("k", made(1)), Some(id));
        assert_eq!(ledger.charge("k", made(1)), Some(id));
        assert_eq!(listed(&ledger), [(1, false)]);
        assert_eq!((ledger.void(id), ledger.void(id)), (Some(id), Some(id)));
        assert_eq!(listed(&ledger), [(1, true)]);
        assert_eq!(
            ledger.charge("k", made(1)),
            None,
            "nothing is charged by a key that was voided"
        );
    }

    #[test]
    fn a_key_that_was_voided_before_it_was_used_charges_nothing() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.void(Uuid::from_u128(1)), None);
        assert_eq!(ledger.charge("k", made(1)), None);
        assert!(listed(&ledger).is_empty());
    }

    #[test]
    fn the_oldest_charges_are_dropped_and_later_pages_follow_earlier_ones() {
        let mut ledger = Ledger::default();
        for charge in 0..MOST as u128 + 2 {
            ledger.charge("k", made(charge));
        }
        assert_eq!((ledger.keys.len(), ledger.numbers.len()), (MOST, MOST));
        assert_eq!(ledger.after(0, 2).iter().map(|entry| entry.number).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(ledger.after(4, 1)[0].number, 5);
    }
}
