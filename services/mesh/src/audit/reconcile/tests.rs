use proto::{orders::v1::Item, types::v1::Money};

use super::*;

fn euros(amount: i64) -> Option<Money> {
    Some(Money { currency: "EUR".into(), amount_minor: amount })
}

fn order(id: &str, status: Status) -> Order {
    let items = vec![Item { sku: "teapot".into(), quantity: 2, unit_price: euros(500) }];
    Order {
        order_id: id.into(),
        status: status.into(),
        items,
        total: euros(1000),
        ..Order::default()
    }
}

fn payment(id: &str, state: payment::State) -> Payment {
    Payment { order_id: id.into(), state: state.into(), amount: euros(1000) }
}

fn charge(id: &str, refunded: bool) -> Charge {
    Charge { charge_id: "ch-1".into(), order_id: id.into(), amount: euros(1000), refunded }
}

/// The ledgers with one cancelled order, for which everything was undone.
fn undone() -> Ledgers {
    Ledgers {
        orders: vec![order("a", Status::Cancelled)],
        payments: vec![payment("a", payment::State::Refunded)],
        charges: vec![charge("a", true)],
        reservations: vec![reservation("a", reservation::State::Released)],
        shipments: vec![],
        known: HashSet::from(["a".into()]),
    }
}

#[test]
fn a_charge_that_the_provider_kept_for_a_cancelled_order_is_a_difference() {
    complains(&undone(), &[]);
    for state in [payment::State::Refunded, payment::State::Failed] {
        let payments = vec![payment("a", state)];
        let ledgers = Ledgers { payments, charges: vec![charge("a", false)], ..undone() };
        complains(&ledgers, &["a is cancelled, but the payment provider kept its money"]);
    }
    let ledgers = Ledgers { payments: vec![payment("a", payment::State::Unknown)], ..undone() };
    complains(&ledgers, &["a is cancelled, but its payment is unknown"]);
}

#[test]
fn what_the_provider_forgot_is_none_and_what_it_has_too_many_of_is_one() {
    complains(&Ledgers { charges: vec![], ..delivered() }, &[]);
    let charges = vec![charge("a", false), charge("a", false)];
    let twice = "a is completed, but the payment provider charged it 2 times";
    complains(&Ledgers { charges, ..delivered() }, &[twice]);
    let back = "a is completed, but the payment provider gave its money back";
    complains(&Ledgers { charges: vec![charge("a", true)], ..delivered() }, &[back]);
    let charges = vec![charge("a", false), charge("b", false)];
    complains(&Ledgers { charges, ..delivered() }, &["b is no order, but it was charged"]);
}

fn reservation(id: &str, state: reservation::State) -> Reservation {
    let items = vec![inventory::Item { sku: "teapot".into(), quantity: 2 }];
    Reservation { order_id: id.into(), state: state.into(), items }
}

fn shipment(id: &str, state: shipment::State) -> Shipment {
    Shipment { order_id: id.into(), state: state.into() }
}

/// The ledgers with one completed order, without a difference.
fn delivered() -> Ledgers {
    Ledgers {
        orders: vec![order("a", Status::Completed)],
        payments: vec![payment("a", payment::State::Authorized)],
        charges: vec![charge("a", false)],
        reservations: vec![reservation("a", reservation::State::Committed)],
        shipments: vec![shipment("a", shipment::State::Delivered)],
        known: HashSet::from(["a".into()]),
    }
}

#[track_caller]
fn complains(ledgers: &Ledgers, expected: &[&str]) {
    let differences: Vec<_> = reconcile(ledgers)
        .differences
        .into_iter()
        .map(|one| format!("{} {}", one.order_id, one.what))
        .collect();
    assert_eq!(differences, expected);
}

#[test]
fn an_order_that_was_paid_taken_and_delivered_is_no_difference() {
    let verdict = reconcile(&delivered());
    assert_eq!((verdict.orders, verdict.open, verdict.completed, verdict.cancelled), (1, 0, 1, 0));
    assert_eq!(verdict.differences, []);
}

#[test]
fn a_completed_order_that_misses_something_is_one() {
    let ledgers = Ledgers { payments: vec![], shipments: vec![], ..delivered() };
    complains(
        &ledgers,
        &["a is completed, but has 0 payments", "a is completed, but has 0 shipments"],
    );
    let ledgers =
        Ledgers { reservations: vec![reservation("a", reservation::State::Held)], ..delivered() };
    complains(&ledgers, &["a is completed, but its reservation is held"]);
}

#[test]
fn what_happened_twice_is_one() {
    let mut ledgers = delivered();
    ledgers.payments.push(payment("a", payment::State::Authorized));
    complains(&ledgers, &["a is completed, but has 2 payments"]);
    let mut ledgers = delivered();
    ledgers.orders.push(order("a", Status::Completed));
    complains(&ledgers, &["a is there 2 times"]);
}

#[test]
fn other_goods_and_other_amounts_are_one() {
    let mut ledgers = delivered();
    ledgers.payments[0].amount = euros(999);
    ledgers.reservations[0].items[0].quantity = 1;
    complains(
        &ledgers,
        &[
            "a is completed, but another amount was charged",
            "a is completed, but other goods were taken from the stock",
        ],
    );
}

#[test]
fn a_cancelled_order_leaves_nothing_behind() {
    let cancelled = |payments, reservations, shipments| Ledgers {
        orders: vec![order("a", Status::Cancelled)],
        payments,
        charges: vec![],
        reservations,
        shipments,
        known: HashSet::from(["a".into()]),
    };
    complains(&cancelled(vec![], vec![], vec![]), &[]);
    let undone = cancelled(
        vec![payment("a", payment::State::Refunded)],
        vec![reservation("a", reservation::State::Released)],
        vec![shipment("a", shipment::State::Returned)],
    );
    complains(&undone, &[]);
    let kept = cancelled(
        vec![payment("a", payment::State::Authorized)],
        vec![reservation("a", reservation::State::Committed)],
        vec![shipment("a", shipment::State::Delivered)],
    );
    complains(
        &kept,
        &[
            "a is cancelled, but its payment is authorized",
            "a is cancelled, but its reservation is committed",
            "a is cancelled, but its shipment is delivered",
        ],
    );
}

#[test]
fn what_is_open_is_counted_and_not_judged() {
    let ledgers = Ledgers {
        orders: vec![order("a", Status::Placed), order("b", Status::Dispatched)],
        payments: vec![payment("b", payment::State::Authorized)],
        known: HashSet::from(["a".into(), "b".into()]),
        ..Ledgers::default()
    };
    let verdict = reconcile(&ledgers);
    assert_eq!((verdict.orders, verdict.open), (2, 2));
    assert_eq!(verdict.differences, []);
}

#[test]
fn an_entry_without_an_order_is_a_difference_unless_it_only_holds_stock() {
    let ledgers = Ledgers { orders: vec![], known: HashSet::new(), ..delivered() };
    complains(
        &ledgers,
        &[
            "a is no order, but has a payment",
            "a is no order, but has a shipment",
            "a is no order, but it was charged",
            "a is no order, but its goods left the stock",
        ],
    );
    let held = Ledgers {
        reservations: vec![reservation("a", reservation::State::Held)],
        ..Ledgers::default()
    };
    complains(&held, &[]);
}

/// More orders may be placed between reading the orders and reading the other ledgers.
#[test]
fn an_order_that_came_while_reading_is_known() {
    let mut ledgers = delivered();
    ledgers.payments.push(payment("b", payment::State::Authorized));
    ledgers.known.insert("b".into());
    complains(&ledgers, &[]);
}
