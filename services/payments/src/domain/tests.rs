use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn pay() -> Wish {
    Wish::Pay { amount: Money { currency: "EUR".into(), minor: 1999 }, token: "tok_ok".into() }
}

/// A simulated third party with its charges, and all published events.
#[derive(Default)]
struct World {
    state: Option<State>,
    charged: BTreeSet<String>,
    refunded: BTreeSet<String>,
    voided: BTreeSet<String>,
    told: Vec<&'static str>,
}

/// What the third party does when a charge is requested.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    Charges,
    Declines,
    /// Does nothing, and does not answer.
    IsSilent,
    /// Charges, and its answer is lost.
    LosesTheAnswer,
}

impl World {
    fn ask(&mut self, wish: &Wish, key: usize, verdict: Verdict) -> Answer {
        if let Errand::Prepare { .. } = wish.errand(self.state.as_ref()) {
            self.state = Some(State::Asking { key: format!("key-{key}") });
        }
        match wish.errand(self.state.clone().as_ref()) {
            Errand::Charge { key, .. } => {
                let (key, charge) = (key.to_owned(), format!("charge-{key}"));
                let charges = matches!(verdict, Verdict::Charges | Verdict::LosesTheAnswer);
                if charges && !self.voided.contains(&key) {
                    self.charged.insert(charge.clone());
                }
                match verdict {
                    Verdict::Charges if self.charged.contains(&charge) => {
                        Answer::Charged { charge }
                    }
                    Verdict::Charges | Verdict::Declines if !self.charged.contains(&charge) => {
                        Answer::Declined { reason: "insufficient_funds".into() }
                    }
                    // A key that was charged is not declined afterwards.
                    Verdict::Charges | Verdict::Declines => Answer::Charged { charge },
                    Verdict::IsSilent | Verdict::LosesTheAnswer => Answer::Silence { key },
                }
            }
            Errand::Refund { charge } => {
                self.refunded.insert(charge.to_owned());
                Answer::Refunded
            }
            Errand::Prepare { .. } => unreachable!("it was prepared"),
            Errand::Nothing => Answer::NotAsked,
        }
    }

    /// The event becomes a dead letter after `attempts` requests to the third party.
    fn set_aside(&mut self, wish: &Wish, key: usize, verdict: Verdict, attempts: usize) {
        for _ in 0..attempts {
            self.ask(wish, key, verdict);
        }
    }

    /// Delivers an event. The process may die between asking and settling; then the event is delivered again.
    fn deliver(&mut self, wish: &Wish, key: usize, verdict: Verdict, deaths: usize) {
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

    /// Fires the timer of an unknown charge. The process may die after the third party has voided it; then the timer fires
    /// again.
    fn resolve(&mut self, deaths: usize) {
        let Some(State::Unknown { key }) = self.state.clone() else { return };
        let charge = format!("charge-{key}");
        for _ in 0..=deaths {
            self.voided.insert(key.clone());
            if self.charged.contains(&charge) {
                self.refunded.insert(charge.clone());
            }
        }
        let voided = match self.charged.contains(&charge) {
            true => Voided::GivenBack { charge },
            false => Voided::NotCharged,
        };
        let state = State::resolved(voided);
        self.told.push(state.word());
        self.state = Some(state);
    }
}

fn charged() -> Answer {
    Answer::Charged { charge: String::new() }
}

fn story(wishes: &[Wish]) -> World {
    let mut world = World::default();
    for (key, wish) in wishes.iter().enumerate() {
        world.deliver(wish, key, Verdict::Charges, 0);
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
fn a_refused_charge_has_nothing_to_give_back() {
    let mut world = World::default();
    world.deliver(&pay(), 0, Verdict::Declines, 0);
    let before = world.state.clone();
    world.deliver(&Wish::Cancel, 1, Verdict::Declines, 0);
    assert_eq!(world.state, before);
    assert!(world.refunded.is_empty());
}

#[test]
fn an_unanswered_charge_is_unknown_until_it_is_voided() {
    for (verdict, told) in [
        (Verdict::IsSilent, ["unknown", "failed"]),
        (Verdict::LosesTheAnswer, ["unknown", "refunded"]),
    ] {
        let mut world = World::default();
        world.deliver(&pay(), 0, verdict, 0);
        world.deliver(&Wish::Cancel, 1, verdict, 0);
        world.resolve(0);
        assert_eq!(world.told, told);
        assert_eq!(world.charged, world.refunded);
    }
}

#[test]
fn a_charge_whose_order_was_set_aside_is_voided_when_the_order_is_cancelled() {
    for verdict in [Verdict::Charges, Verdict::LosesTheAnswer, Verdict::IsSilent] {
        let mut world = World::default();
        world.set_aside(&pay(), 0, verdict, 3);
        world.deliver(&Wish::Cancel, 1, verdict, 0);
        world.resolve(0);
        assert_eq!(world.charged, world.refunded);
        // Its dead letter is replayed after all.
        world.deliver(&pay(), 0, Verdict::Charges, 0);
        assert_eq!(world.charged, world.refunded);
    }
}

#[test]
fn an_order_that_was_set_aside_and_replayed_is_charged_once() {
    let mut world = World::default();
    world.set_aside(&pay(), 0, Verdict::LosesTheAnswer, 2);
    world.deliver(&pay(), 5, Verdict::Charges, 0);
    assert_eq!((&world.told[..], world.charged.len()), (&["authorized"][..], 1));
}

#[test]
fn attempts_to_void_are_further_and_further_apart_and_never_end() {
    let pace = Pace { first: Duration::from_secs(1), longest: Duration::from_secs(300) };
    let waits = [0, 1, 2, 8, 9, 1000, i64::MAX].map(|attempts| pace.next_attempt(attempts, 7) - 7);
    assert_eq!(waits.map(|wait| wait / 1_000_000), [1, 2, 4, 256, 300, 300, 300]);
}

#[test]
fn an_answer_to_another_question_is_not_taken() {
    let authorized = State::Authorized { charge: "c".into() };
    assert_eq!(pay().settle(None, charged()), Err(Overtaken));
    assert_eq!(Wish::Cancel.settle(Some(&authorized), Answer::NotAsked), Err(Overtaken));
    assert_eq!(pay().settle(Some(&authorized), charged()), Err(Overtaken));
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        2 => Just(Verdict::Charges),
        1 => Just(Verdict::Declines),
        1 => Just(Verdict::IsSilent),
        2 => Just(Verdict::LosesTheAnswer),
    ]
}

/// The events in the life of an order's payment.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Placed,
    PlacedAndSetAside,
    Cancelled,
    Timer,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        Just(Happens::Placed),
        Just(Happens::PlacedAndSetAside),
        Just(Happens::Cancelled),
        Just(Happens::Timer)
    ]
}

proptest! {
    /// Events and timers arrive in any order and repeatedly, the process dies at any point, and answers are lost: a charge
    /// whose answer was lost is given back, since its order is cancelled.
    #[test]
    fn an_order_is_paid_once_or_compensated(
        events in prop::collection::vec((happens(), 0..3usize, verdict(), 0..3usize), 0..12),
    ) {
        let mut world = World::default();
        for (happens, key, verdict, deaths) in &events {
            match happens {
                Happens::Placed => world.deliver(&pay(), *key, *verdict, *deaths),
                Happens::PlacedAndSetAside => world.set_aside(&pay(), *key, *verdict, *deaths),
                Happens::Cancelled => world.deliver(&Wish::Cancel, *key, *verdict, *deaths),
                Happens::Timer => world.resolve(*deaths),
            }
        }
        world.resolve(0);
        let kept: Vec<_> = world.charged.difference(&world.refunded).collect();
        prop_assert!(world.charged.len() <= 1, "charged once at most");
        match world.state {
            Some(State::Authorized { .. }) => prop_assert_eq!(kept.len(), 1),
            // Its dead letter is to be replayed, or its order to be cancelled.
            Some(State::Asking { .. }) => {}
            _ => prop_assert!(kept.is_empty(), "money is kept in {:?}", world.state),
        }
        if events.iter().any(|(happens, ..)| matches!(happens, Happens::Cancelled)) {
            prop_assert!(kept.is_empty(), "nothing is kept for a cancelled order");
        }
        let unique: BTreeSet<_> = world.told.iter().collect();
        prop_assert_eq!(unique.len(), world.told.len(), "nothing is told twice");
    }
}
