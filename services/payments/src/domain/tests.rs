use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn pay() -> Wish {
    Wish::Pay { amount: Money { currency: "EUR".into(), minor: 1999 }, token: "tok_ok".into() }
}

/// A third party that remembers, and everything that is told.
#[derive(Default)]
struct World {
    state: Option<State>,
    charged: BTreeSet<String>,
    refunded: BTreeSet<String>,
    told: Vec<&'static str>,
}

impl World {
    fn ask(&mut self, wish: &Wish, key: usize, verdict: &Answer) -> Answer {
        match wish.errand(self.state.as_ref()) {
            Errand::Charge { .. } => match verdict {
                Answer::Charged { .. } => {
                    let charge = format!("charge-{key}");
                    self.charged.insert(charge.clone());
                    Answer::Charged { charge }
                }
                other => other.clone(),
            },
            Errand::Refund { charge } => {
                self.refunded.insert(charge.to_owned());
                Answer::Refunded
            }
            Errand::Nothing => Answer::NotAsked,
        }
    }

    /// Delivers an event; the process may die between asking and settling, and is delivered the event again.
    fn deliver(&mut self, wish: &Wish, key: usize, verdict: &Answer, deaths: usize) {
        for _ in 0..deaths {
            self.ask(wish, key, verdict);
        }
        let answer = self.ask(wish, key, verdict);
        if let Some(state) = wish.settle(self.state.as_ref(), answer).expect("nobody else settles")
        {
            self.told.push(state.word());
            self.state = Some(state);
        }
    }
}

fn charged() -> Answer {
    Answer::Charged { charge: String::new() }
}

fn story(wishes: &[Wish]) -> World {
    let mut world = World::default();
    for (key, wish) in wishes.iter().enumerate() {
        world.deliver(wish, key, &charged(), 0);
    }
    world
}

#[test]
fn a_placed_order_is_charged() {
    assert_eq!(story(&[pay()]).told, ["authorized"]);
}

#[test]
fn a_cancelled_order_gets_its_money_back() {
    let world = story(&[pay(), Wish::Cancel]);
    assert_eq!(world.told, ["authorized", "refunded"]);
    assert_eq!(world.charged, world.refunded);
}

#[test]
fn an_order_placed_after_it_was_cancelled_is_not_charged() {
    let world = story(&[Wish::Cancel, pay()]);
    assert_eq!(world.state, Some(State::Void));
    assert!(world.charged.is_empty());
}

#[test]
fn a_refused_or_unanswered_charge_has_nothing_to_give_back() {
    for verdict in [Answer::Declined { reason: "insufficient_funds".into() }, Answer::Silence] {
        let mut world = World::default();
        world.deliver(&pay(), 0, &verdict, 0);
        let before = world.state.clone();
        world.deliver(&Wish::Cancel, 1, &verdict, 0);
        assert_eq!(world.state, before);
        assert!(world.refunded.is_empty());
    }
}

#[test]
fn an_answer_to_another_question_is_not_taken() {
    let authorized = State::Authorized { charge: "c".into() };
    assert_eq!(Wish::Cancel.settle(Some(&authorized), Answer::NotAsked), Err(Overtaken));
    assert_eq!(pay().settle(Some(&authorized), charged()), Err(Overtaken));
}

fn verdict() -> impl Strategy<Value = Answer> {
    prop_oneof![
        2 => Just(charged()),
        1 => Just(Answer::Declined { reason: "insufficient_funds".into() }),
        1 => Just(Answer::Silence),
    ]
}

proptest! {
    /// Whichever way placing and cancelling arrive, how often, and wherever we die in between.
    #[test]
    fn an_order_is_paid_once_or_compensated(
        events in prop::collection::vec((any::<bool>(), 0..3usize, verdict(), 0..3usize), 0..12),
    ) {
        let mut world = World::default();
        for (cancels, key, verdict, deaths) in &events {
            let wish = if *cancels { Wish::Cancel } else { pay() };
            world.deliver(&wish, *key, verdict, *deaths);
        }
        let kept: Vec<_> = world.charged.difference(&world.refunded).collect();
        prop_assert!(world.charged.len() <= 1, "charged once at most");
        prop_assert_eq!(kept.len(), usize::from(matches!(world.state, Some(State::Authorized { .. }))));
        if events.iter().any(|(cancels, ..)| *cancels) {
            prop_assert!(kept.is_empty(), "nothing is kept for a cancelled order");
        }
        let unique: BTreeSet<_> = world.told.iter().collect();
        prop_assert_eq!(unique.len(), world.told.len(), "nothing is told twice");
    }
}
