use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::*;

/// The stock of one product and the orders for it, as the store would keep them.
struct Shop {
    on_hand: i64,
    reserved: i64,
    orders: BTreeMap<u8, (State, i64)>,
}

impl Shop {
    fn reserve(&mut self, order: u8, quantity: i64) {
        if self.on_hand - self.reserved >= quantity && !self.orders.contains_key(&order) {
            self.reserved += quantity;
            self.orders.insert(order, (State::Held, quantity));
        }
    }

    fn settle(&mut self, order: u8, outcome: OrderOutcome) {
        let Some((state, quantity)) = self.orders.get_mut(&order) else { return };
        let Some(change) = Change::decide(*state, outcome) else { return };
        *state = change.state();
        let delta = change.delta(*quantity);
        self.on_hand += delta.on_hand;
        self.reserved += delta.reserved;
    }

    fn sum(&self, wanted: State) -> i64 {
        self.orders
            .values()
            .filter(|(state, _)| *state == wanted)
            .map(|(_, quantity)| quantity)
            .sum()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Reserve(u8, i64),
    Settle(u8, OrderOutcome),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![Just(OrderOutcome::Paid), Just(OrderOutcome::Cancelled)];
    prop_oneof![
        (0..6_u8, 1..5_i64).prop_map(|(order, quantity)| Step::Reserve(order, quantity)),
        (0..6_u8, outcome).prop_map(|(order, outcome)| Step::Settle(order, outcome)),
    ]
}

proptest! {
    /// Requests and outcomes in any order, any number of times: no piece is sold twice, and none is lost.
    #[test]
    fn pieces_are_neither_sold_twice_nor_lost(steps in vec(step(), 0..60)) {
        let mut shop = Shop { on_hand: 10, reserved: 0, orders: BTreeMap::new() };
        for step in steps {
            match step {
                Step::Reserve(order, quantity) => shop.reserve(order, quantity),
                Step::Settle(order, outcome) => shop.settle(order, outcome),
            }
            prop_assert!((0..=shop.on_hand).contains(&shop.reserved));
            prop_assert_eq!(shop.reserved, shop.sum(State::Held));
            prop_assert_eq!(shop.on_hand + shop.sum(State::Committed), 10);
        }
    }

    /// A cancelled order keeps no pieces, whatever other outcomes arrived before or after.
    #[test]
    fn a_cancelled_order_holds_no_pieces(
        before in vec(prop_oneof![Just(OrderOutcome::Paid), Just(OrderOutcome::Cancelled)], 0..5),
        after in vec(prop_oneof![Just(OrderOutcome::Paid), Just(OrderOutcome::Cancelled)], 0..5),
    ) {
        let outcomes = before.into_iter().chain([OrderOutcome::Cancelled]).chain(after);
        let state = outcomes.fold(State::Held, |state, outcome| {
            Change::decide(state, outcome).map_or(state, Change::state)
        });
        prop_assert_eq!(state, State::Released);
    }
}

#[test]
fn the_same_outcome_again_changes_nothing() {
    for state in State::ALL {
        for outcome in [OrderOutcome::Paid, OrderOutcome::Cancelled] {
            let then = Change::decide(state, outcome).map_or(state, Change::state);
            assert_eq!(Change::decide(then, outcome), None, "{state:?} {outcome:?}");
        }
    }
}
