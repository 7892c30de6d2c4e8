//! Checks that all ledgers agree. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use proto::{
    inventory::v1::{self as inventory, Reservation, reservation},
    orders::v1::{Order, Status},
    payments::v1::{Charge, Payment, payment},
    shipping::v1::{Shipment, shipment},
};
use serde::Serialize;

/// The entries of the services' ledgers.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledgers {
    /// Read before the others: an order that has ended here has ended there, or will in a moment.
    pub(super) orders: Vec<Order>,
    pub(super) payments: Vec<Payment>,
    /// The payment provider's own ledger, as far as it shows one.
    pub(super) charges: Vec<Charge>,
    pub(super) reservations: Vec<Reservation>,
    pub(super) shipments: Vec<Shipment>,
    /// Every order id, read after the other ledgers: each of their entries must belong to one of these.
    pub(super) known: HashSet<String>,
}

/// One disagreement between the ledgers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Difference {
    pub(super) order_id: String,
    pub(super) what: String,
}

/// The result of a reconciliation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Verdict {
    pub(super) orders: usize,
    /// Orders that have not ended yet.
    pub(super) open: usize,
    pub(super) completed: usize,
    pub(super) cancelled: usize,
    pub(super) differences: Vec<Difference>,
}

/// The entries of one ledger by order; most orders have one.
type Entries<'a, T> = HashMap<&'a str, Vec<&'a T>>;

/// Compares every order that has ended with its entries in the other ledgers, and these with the orders.
pub(super) fn reconcile(ledgers: &Ledgers) -> Verdict {
    let payments = by_order(&ledgers.payments, |payment| &payment.order_id);
    let reservations = by_order(&ledgers.reservations, |reservation| &reservation.order_id);
    let shipments = by_order(&ledgers.shipments, |shipment| &shipment.order_id);
    let charges = by_order(&ledgers.charges, |charge| &charge.order_id);
    let mut verdict = Verdict {
        orders: ledgers.orders.len(),
        open: 0,
        completed: 0,
        cancelled: 0,
        differences: Vec::new(),
    };
    for order in &ledgers.orders {
        let id = order.order_id.as_str();
        let entries = (entry(&payments, id), entry(&reservations, id), entry(&shipments, id));
        let wrong = match order.status() {
            Status::Completed => {
                verdict.completed += 1;
                let mut wrong = completed(order, entries);
                wrong.extend(charged_once(entry(&charges, id)));
                wrong
            }
            Status::Cancelled => {
                verdict.cancelled += 1;
                let mut wrong = cancelled(entries);
                wrong.extend(kept(entry(&charges, id)));
                wrong
            }
            _ => {
                verdict.open += 1;
                Vec::new()
            }
        };
        verdict
            .differences
            .extend(wrong.into_iter().map(|what| Difference { order_id: id.to_owned(), what }));
    }
    verdict.differences.extend(twice(&ledgers.orders));
    verdict.differences.extend(orphans(ledgers));
    verdict.differences.sort();
    verdict
}

fn by_order<T>(entries: &[T], order: impl Fn(&T) -> &String) -> Entries<'_, T> {
    let mut all = Entries::new();
    for entry in entries {
        all.entry(order(entry)).or_default().push(entry);
    }
    all
}

fn entry<'a, T>(entries: &'a Entries<'_, T>, id: &str) -> &'a [&'a T] {
    entries.get(id).map_or(&[], Vec::as_slice)
}

type Found<'a> = (&'a [&'a Payment], &'a [&'a Reservation], &'a [&'a Shipment]);

/// A completed order must be paid, taken from the stock and delivered, each once and as ordered.
fn completed(order: &Order, (payments, reservations, shipments): Found<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    match payments {
        [payment] if payment.state() == payment::State::Authorized => {
            if payment.amount != order.total {
                wrong.push("is completed, but another amount was charged".into());
            }
        }
        [payment] => wrong.push(format!(
            "is completed, but its payment is {}",
            word(payment.state().as_str_name())
        )),
        several => wrong.push(format!("is completed, but has {} payments", several.len())),
    }
    match reservations {
        [reservation] if reservation.state() == reservation::State::Committed => {
            if reserved(&reservation.items) != items(order) {
                wrong.push("is completed, but other goods were taken from the stock".into());
            }
        }
        [one] => wrong.push(format!(
            "is completed, but its reservation is {}",
            word(one.state().as_str_name())
        )),
        several => wrong.push(format!("is completed, but has {} reservations", several.len())),
    }
    match shipments {
        [shipment] if shipment.state() == shipment::State::Delivered => {}
        [one] => wrong
            .push(format!("is completed, but its shipment is {}", word(one.state().as_str_name()))),
        several => wrong.push(format!("is completed, but has {} shipments", several.len())),
    }
    wrong
}

/// Everything that was done for a cancelled order must be undone.
fn cancelled((payments, reservations, shipments): Found<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    match payments {
        [] => {}
        [one] => match one.state() {
            payment::State::Declined | payment::State::Failed | payment::State::Refunded => {}
            other => wrong
                .push(format!("is cancelled, but its payment is {}", word(other.as_str_name()))),
        },
        several => wrong.push(format!("is cancelled, but has {} payments", several.len())),
    }
    match reservations {
        [] => {}
        [one] if one.state() == reservation::State::Released => {}
        [one] => wrong.push(format!(
            "is cancelled, but its reservation is {}",
            word(one.state().as_str_name())
        )),
        several => wrong.push(format!("is cancelled, but has {} reservations", several.len())),
    }
    match shipments {
        [] => {}
        [one] => match one.state() {
            shipment::State::Cancelled | shipment::State::Returned => {}
            other => wrong
                .push(format!("is cancelled, but its shipment is {}", word(other.as_str_name()))),
        },
        several => wrong.push(format!("is cancelled, but has {} shipments", several.len())),
    }
    wrong
}

/// Reports a charge that the payment provider has kept for a cancelled order.
fn kept(charges: &[&Charge]) -> Option<String> {
    let kept = charges.iter().any(|charge| !charge.refunded);
    kept.then(|| "is cancelled, but the payment provider kept its money".into())
}

/// A provider's ledger may have forgotten a charge, but must not have more than one.
fn charged_once(charges: &[&Charge]) -> Option<String> {
    let kept = charges.iter().filter(|charge| !charge.refunded).count();
    let given_back = kept == 0 && !charges.is_empty();
    match kept {
        0 if given_back => {
            Some("is completed, but the payment provider gave its money back".into())
        }
        0 | 1 => None,
        several => {
            Some(format!("is completed, but the payment provider charged it {several} times"))
        }
    }
}

/// `STATE_AUTHORIZED` → `authorized`.
fn word(name: &str) -> String {
    name.strip_prefix("STATE_").unwrap_or(name).to_lowercase()
}

fn reserved(items: &[inventory::Item]) -> BTreeMap<&str, i64> {
    sum(items.iter().map(|item| (item.sku.as_str(), item.quantity)))
}

fn items(order: &Order) -> BTreeMap<&str, i64> {
    sum(order.items.iter().map(|item| (item.sku.as_str(), item.quantity)))
}

fn sum<'a>(quantities: impl Iterator<Item = (&'a str, i32)>) -> BTreeMap<&'a str, i64> {
    let mut sum = BTreeMap::new();
    for (sku, quantity) in quantities {
        *sum.entry(sku).or_default() += i64::from(quantity);
    }
    sum
}

fn twice(orders: &[Order]) -> Vec<Difference> {
    let all = by_order(orders, |order| &order.order_id);
    let several = all.into_iter().filter(|(_, orders)| orders.len() > 1);
    several.map(|(id, orders)| difference(id, format!("is there {} times", orders.len()))).collect()
}

/// Entries for an order that does not exist. A reservation that is only held is no difference: its order may just be written, and
/// if it never is, the reservation expires.
fn orphans(ledgers: &Ledgers) -> Vec<Difference> {
    let unknown = |id: &str| !ledgers.known.contains(id);
    let payments = ledgers.payments.iter().filter(|payment| unknown(&payment.order_id));
    let reservations = ledgers.reservations.iter().filter(|reservation| {
        reservation.state() == reservation::State::Committed && unknown(&reservation.order_id)
    });
    let shipments = ledgers.shipments.iter().filter(|shipment| unknown(&shipment.order_id));
    let charges =
        ledgers.charges.iter().filter(|charge| !charge.refunded && unknown(&charge.order_id));
    let mut all: Vec<_> = payments
        .map(|one| difference(&one.order_id, "is no order, but has a payment".into()))
        .collect();
    all.extend(
        charges.map(|one| difference(&one.order_id, "is no order, but it was charged".into())),
    );
    all.extend(
        reservations.map(|one| {
            difference(&one.order_id, "is no order, but its goods left the stock".into())
        }),
    );
    all.extend(
        shipments.map(|one| difference(&one.order_id, "is no order, but has a shipment".into())),
    );
    all
}

fn difference(id: &str, what: String) -> Difference {
    Difference { order_id: id.to_owned(), what }
}

#[cfg(test)]
mod tests;
