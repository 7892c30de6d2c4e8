use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn pay() -> Command {
    Command::Pay { amount: Money::stored("EUR".into(), 1999), token: "tok_ok".into() }
}

/// A simulated third party with its charges, and all published events.
#[derive(Default)]
struct World {
    state: Option<State>,
    charged: BTreeSet<String>,
    refunded: BTreeSet<String>,
    voided: BTreeSet<String>,
    published: Vec<&'static str>,
}

/// What the third party does when a charge is requested.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    Charges,
    Declines,
    /// Does nothing, and does not answer.
    DoesNotRespond,
    /// Charges, and its answer is lost.
    LosesTheResponse,
}

impl World {
    fn ask(&mut self, command: &Command, key: usize, verdict: Verdict) -> Outcome {
        if let ProviderCall::Prepare { .. } = command.provider_call(self.state.as_ref()) {
            self.state = Some(State::Asking { key: format!("key-{key}") });
        }
        match command.provider_call(self.state.clone().as_ref()) {
            ProviderCall::Charge { key, .. } => {
                let (key, charge) = (key.to_owned(), format!("charge-{key}"));
                let charges = matches!(verdict, Verdict::Charges | Verdict::LosesTheResponse);
                if charges && !self.voided.contains(&key) {
                    self.charged.insert(charge.clone());
                }
                match verdict {
                    Verdict::Charges if self.charged.contains(&charge) => {
                        Outcome::Charged { charge }
                    }
                    Verdict::Charges | Verdict::Declines if !self.charged.contains(&charge) => {
                        Outcome::Declined { reason: "insufficient_funds".into() }
                    }
                    // A key that was charged is not declined afterwards.
                    Verdict::Charges | Verdict::Declines => Outcome::Charged { charge },
                    Verdict::DoesNotRespond | Verdict::LosesTheResponse => {
                        Outcome::NoResponse { key }
                    }
                }
            }
            ProviderCall::Refund { charge } => {
                self.refunded.insert(charge.to_owned());
                Outcome::Refunded
            }
            ProviderCall::Prepare { .. } => unreachable!("it was prepared"),
            ProviderCall::Nothing => Outcome::NotCalled,
        }
    }

    /// The event becomes a dead letter after `attempts` requests to the third party.
    fn dead_letter(&mut self, command: &Command, key: usize, verdict: Verdict, attempts: usize) {
        for _ in 0..attempts {
            self.ask(command, key, verdict);
        }
    }

    /// Delivers an event. The process may die between the call and settling; then the event is delivered again.
    fn deliver(&mut self, command: &Command, key: usize, verdict: Verdict, deaths: usize) {
        for _ in 0..deaths {
            self.ask(command, key, verdict);
        }
        let answer = self.ask(command, key, verdict);
        if let Some(state) =
            command.settle(self.state.as_ref(), answer).expect("there is no concurrent transaction")
        {
            self.published.push(state.as_str());
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
            true => Voided::Refunded { charge },
            false => Voided::NotCharged,
        };
        let state = State::resolved(voided);
        self.published.push(state.as_str());
        self.state = Some(state);
    }
}

fn charged() -> Outcome {
    Outcome::Charged { charge: String::new() }
}

fn after(commandes: &[Command]) -> World {
    let mut world = World::default();
    for (key, command) in commandes.iter().enumerate() {
        world.deliver(command, key, Verdict::Charges, 0);
    }
    world
}

#[test]
fn a_placed_order_is_charged() {
    assert_eq!(after(&[pay()]).published, ["authorized"]);
}

#[test]
fn a_cancelled_order_is_refunded() {
    let world = after(&[pay(), Command::Cancel]);
    assert_eq!(world.published, ["authorized", "refunded"]);
    assert_eq!(world.charged, world.refunded);
}

#[test]
fn an_order_placed_after_it_was_cancelled_is_not_charged() {
    let world = after(&[Command::Cancel, pay()]);
    assert_eq!(world.state, Some(State::Void));
    assert!(world.charged.is_empty());
}

#[test]
fn a_cancelled_order_whose_charge_was_declined_is_not_refunded() {
    let mut world = World::default();
    world.deliver(&pay(), 0, Verdict::Declines, 0);
    let before = world.state.clone();
    world.deliver(&Command::Cancel, 1, Verdict::Declines, 0);
    assert_eq!(world.state, before);
    assert!(world.refunded.is_empty());
}

#[test]
fn a_charge_without_a_response_is_unknown_until_it_is_voided() {
    for (verdict, published) in [
        (Verdict::DoesNotRespond, ["unknown", "failed"]),
        (Verdict::LosesTheResponse, ["unknown", "refunded"]),
    ] {
        let mut world = World::default();
        world.deliver(&pay(), 0, verdict, 0);
        world.deliver(&Command::Cancel, 1, verdict, 0);
        world.resolve(0);
        assert_eq!(world.published, published);
        assert_eq!(world.charged, world.refunded);
    }
}

#[test]
fn a_charge_of_a_dead_lettered_order_is_voided_when_the_order_is_cancelled() {
    for verdict in [Verdict::Charges, Verdict::LosesTheResponse, Verdict::DoesNotRespond] {
        let mut world = World::default();
        world.dead_letter(&pay(), 0, verdict, 3);
        world.deliver(&Command::Cancel, 1, verdict, 0);
        world.resolve(0);
        assert_eq!(world.charged, world.refunded);
        // Its dead letter is replayed after all.
        world.deliver(&pay(), 0, Verdict::Charges, 0);
        assert_eq!(world.charged, world.refunded);
    }
}

#[test]
fn an_order_that_was_dead_lettered_and_replayed_is_charged_once() {
    let mut world = World::default();
    world.dead_letter(&pay(), 0, Verdict::LosesTheResponse, 2);
    world.deliver(&pay(), 5, Verdict::Charges, 0);
    assert_eq!((&world.published[..], world.charged.len()), (&["authorized"][..], 1));
}

#[test]
fn the_wait_between_attempts_to_void_doubles_up_to_the_longest() {
    let delays = Delays { first: Duration::from_secs(1), longest: Duration::from_secs(300) };
    let now = Timestamp::from_micros(7);
    let waits = [0, 1, 2, 8, 9, 1000, i64::MAX]
        .map(|attempts| delays.next_attempt(attempts, now).since(now));
    assert_eq!(waits.map(|wait| wait.as_secs()), [1, 2, 4, 256, 300, 300, 300]);
}

#[test]
fn a_response_to_another_call_is_a_conflict() {
    let authorized = State::Authorized { charge: "c".into() };
    assert_eq!(pay().settle(None, charged()), Err(Conflict));
    assert_eq!(Command::Cancel.settle(Some(&authorized), Outcome::NotCalled), Err(Conflict));
    assert_eq!(pay().settle(Some(&authorized), charged()), Err(Conflict));
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        2 => Just(Verdict::Charges),
        1 => Just(Verdict::Declines),
        1 => Just(Verdict::DoesNotRespond),
        2 => Just(Verdict::LosesTheResponse),
    ]
}

/// The events in the life of an order's payment.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Placed,
    PlacedAndDeadLettered,
    Cancelled,
    Timer,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        Just(Happens::Placed),
        Just(Happens::PlacedAndDeadLettered),
        Just(Happens::Cancelled),
        Just(Happens::Timer)
    ]
}

proptest! {
    /// Events and timers arrive in any order and repeatedly, the process dies at any point, and answers are lost: a charge
    /// whose response was lost is refunded, since its order is cancelled.
    #[test]
    fn an_order_is_charged_once_or_refunded(
        events in prop::collection::vec((happens(), 0..3usize, verdict(), 0..3usize), 0..12),
    ) {
        let mut world = World::default();
        for (happens, key, verdict, deaths) in &events {
            match happens {
                Happens::Placed => world.deliver(&pay(), *key, *verdict, *deaths),
                Happens::PlacedAndDeadLettered => world.dead_letter(&pay(), *key, *verdict, *deaths),
                Happens::Cancelled => world.deliver(&Command::Cancel, *key, *verdict, *deaths),
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
        let unique: BTreeSet<_> = world.published.iter().collect();
        prop_assert_eq!(unique.len(), world.published.len(), "nothing is published twice");
    }
}
