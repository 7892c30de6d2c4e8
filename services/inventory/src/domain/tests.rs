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

    fn settle(&mut self, order: u8, fate: Fate) {
        let Some((state, quantity)) = self.orders.get_mut(&order) else { return };
        let Some(change) = Change::decide(*state, fate) else { return };
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
    Settle(u8, Fate),
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![Just(Fate::Paid), Just(Fate::Cancelled)];
    prop_oneof![
        (0..6_u8, 1..5_i64).prop_map(|(order, quantity)| Step::Reserve(order, quantity)),
        (0..6_u8, fate).prop_map(|(order, fate)| Step::Settle(order, fate)),
    ]
}

proptest! {
    /// Requests and fates in any order, any number of times: no piece is sold twice, and none is lost.
    #[test]
    fn pieces_are_neither_sold_twice_nor_lost(steps in vec(step(), 0..60)) {
        let mut shop = Shop { on_hand: 10, reserved: 0, orders: BTreeMap::new() };
        for step in steps {
            match step {
                Step::Reserve(order, quantity) => shop.reserve(order, quantity),
                Step::Settle(order, fate) => shop.settle(order, fate),
            }
            prop_assert!((0..=shop.on_hand).contains(&shop.reserved));
            prop_assert_eq!(shop.reserved, shop.sum(State::Held));
            prop_assert_eq!(shop.on_hand + shop.sum(State::Committed), 10);
        }
    }

    /// A cancelled order keeps no pieces, whatever other fates arrived before or after.
    #[test]
    fn a_cancelled_order_keeps_nothing(
        before in vec(prop_oneof![Just(Fate::Paid), Just(Fate::Cancelled)], 0..5),
        after in vec(prop_oneof![Just(Fate::Paid), Just(Fate::Cancelled)], 0..5),
    ) {
        let fates = before.into_iter().chain([Fate::Cancelled]).chain(after);
        let state = fates.fold(State::Held, |state, fate| {
            Change::decide(state, fate).map_or(state, Change::state)
        });
        prop_assert_eq!(state, State::Released);
    }
}

#[test]
fn the_same_fate_again_changes_nothing() {
    for state in State::ALL {
        for fate in [Fate::Paid, Fate::Cancelled] {
            let then = Change::decide(state, fate).map_or(state, Change::state);
            assert_eq!(Change::decide(then, fate), None, "{state:?} {fate:?}");
        }
    }
}

#[test]
fn a_state_is_read_as_it_was_written() {
    for state in State::ALL {
        assert_eq!(State::of(state.word()), Some(state));
    }
    assert_eq!(State::of("stolen"), None);
}
