use proptest::prelude::*;

use super::*;

const FACTS: [Fact; 7] = [
    Fact::PaymentAuthorized,
    Fact::PaymentDeclined,
    Fact::PaymentFailed,
    Fact::ShipmentDispatched,
    Fact::ShipmentDelivered,
    Fact::ReservationExpired,
    Fact::CustomerCancelled,
];

fn story(facts: &[Fact]) -> Progress {
    let mut progress = Progress::placed(0);
    for (at, fact) in (1..).zip(facts) {
        progress.learn(*fact, at);
    }
    progress
}

fn statuses(progress: &Progress) -> Vec<&'static str> {
    progress.history.iter().map(|step| step.status.word()).collect()
}

#[test]
fn a_paid_order_is_shipped_and_completed() {
    let progress =
        story(&[Fact::PaymentAuthorized, Fact::ShipmentDispatched, Fact::ShipmentDelivered]);
    assert_eq!(statuses(&progress), ["placed", "paid", "dispatched", "completed"]);
}

#[test]
fn each_mishap_cancels_for_its_own_reason() {
    for (fact, reason) in [
        (Fact::PaymentDeclined, Reason::PaymentDeclined),
        (Fact::PaymentFailed, Reason::PaymentUnavailable),
        (Fact::ReservationExpired, Reason::ReservationExpired),
        (Fact::CustomerCancelled, Reason::Customer),
    ] {
        let progress = story(&[fact]);
        assert_eq!(
            (statuses(&progress), progress.cancelled),
            (vec!["placed", "cancelled"], Some(reason))
        );
    }
}

#[test]
fn a_customer_may_cancel_until_it_is_dispatched() {
    assert_eq!(
        story(&[Fact::PaymentAuthorized, Fact::CustomerCancelled]).status(),
        Status::Cancelled
    );
    let late = [Fact::PaymentAuthorized, Fact::ShipmentDispatched, Fact::CustomerCancelled];
    assert_eq!(story(&late).status(), Status::Dispatched);
}

#[test]
fn an_expired_reservation_does_not_undo_a_payment() {
    assert_eq!(story(&[Fact::PaymentAuthorized, Fact::ReservationExpired]).status(), Status::Paid);
}

fn one_fact() -> impl Strategy<Value = Fact> {
    prop::sample::select(FACTS.to_vec())
}

proptest! {
    /// Facts in any order, any number of times.
    #[test]
    fn no_sequence_of_facts_breaks_an_invariant(facts in prop::collection::vec(one_fact(), 0..40)) {
        let mut progress = Progress::placed(0);
        for (at, fact) in (1..).zip(&facts) {
            let before = progress.clone();
            progress.learn(*fact, at);
            prop_assert!(progress.history.starts_with(&before.history), "history is only added to");
            if before.status().is_final() {
                prop_assert_eq!(&progress, &before, "the end is the end");
            }
            let again = progress.clone();
            progress.learn(*fact, at + 1);
            prop_assert_eq!(&progress, &again, "a fact told twice is one fact");
        }
        let words = statuses(&progress);
        let mut unique = words.clone();
        unique.dedup();
        prop_assert_eq!(&words, &unique, "no status is taken twice");
        prop_assert_eq!(words.contains(&"cancelled"), progress.cancelled.is_some());
        prop_assert!(!(words.contains(&"cancelled") && words.contains(&"completed")));
        if words.contains(&"paid") {
            prop_assert!(facts.contains(&Fact::PaymentAuthorized), "paid only when the money is there");
        }
        if words.contains(&"completed") {
            prop_assert_eq!(words, vec!["placed", "paid", "dispatched", "completed"], "no status is skipped");
        }
    }

    /// The three topics of a successful order may be read in any interleaving.
    #[test]
    fn a_happy_story_ends_the_same_whichever_topic_is_ahead(
        facts in Just(vec![Fact::PaymentAuthorized, Fact::ShipmentDispatched, Fact::ShipmentDelivered]).prop_shuffle(),
        duplicates in prop::collection::vec(0..3usize, 0..5),
    ) {
        let mut told = facts.clone();
        told.extend(duplicates.iter().map(|index| facts[*index]));
        prop_assert_eq!(statuses(&story(&told)), vec!["placed", "paid", "dispatched", "completed"]);
    }
}
