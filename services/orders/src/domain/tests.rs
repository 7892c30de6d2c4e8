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

fn after(facts: &[Fact]) -> Progress {
    let mut progress = Progress::placed(Timestamp::from_micros(0));
    for (at, fact) in (1..).zip(facts) {
        progress.record(*fact, Timestamp::from_micros(at));
    }
    progress
}

fn statuses(progress: &Progress) -> Vec<&'static str> {
    progress.history.iter().map(|step| step.status.as_str()).collect()
}

#[test]
fn a_paid_order_is_shipped_and_completed() {
    let progress =
        after(&[Fact::PaymentAuthorized, Fact::ShipmentDispatched, Fact::ShipmentDelivered]);
    assert_eq!(statuses(&progress), ["placed", "paid", "dispatched", "completed"]);
}

#[test]
fn a_failure_cancels_the_order_for_its_reason() {
    for (fact, reason) in [
        (Fact::PaymentDeclined, Reason::PaymentDeclined),
        (Fact::PaymentFailed, Reason::PaymentUnavailable),
        (Fact::ReservationExpired, Reason::ReservationExpired),
        (Fact::CustomerCancelled, Reason::Customer),
    ] {
        let progress = after(&[fact]);
        assert_eq!(
            (statuses(&progress), progress.cancelled),
            (vec!["placed", "cancelled"], Some(reason))
        );
    }
}

#[test]
fn a_customer_can_cancel_an_order_until_it_is_dispatched() {
    assert_eq!(
        after(&[Fact::PaymentAuthorized, Fact::CustomerCancelled]).status(),
        Status::Cancelled
    );
    let late = [Fact::PaymentAuthorized, Fact::ShipmentDispatched, Fact::CustomerCancelled];
    assert_eq!(after(&late).status(), Status::Dispatched);
}

#[test]
fn an_expired_reservation_does_not_undo_a_payment() {
    assert_eq!(after(&[Fact::PaymentAuthorized, Fact::ReservationExpired]).status(), Status::Paid);
}

fn one_fact() -> impl Strategy<Value = Fact> {
    prop::sample::select(FACTS.to_vec())
}

proptest! {
    /// Facts in any order, any number of times.
    #[test]
    fn no_sequence_of_facts_breaks_an_invariant(facts in prop::collection::vec(one_fact(), 0..40)) {
        let mut progress = Progress::placed(Timestamp::from_micros(0));
        for (at, fact) in (1..).zip(&facts) {
            let before = progress.clone();
            progress.record(*fact, Timestamp::from_micros(at));
            prop_assert!(progress.history.starts_with(&before.history), "history is only added to");
            if before.status().is_final() {
                prop_assert_eq!(&progress, &before, "the end is the end");
            }
            let again = progress.clone();
            progress.record(*fact, Timestamp::from_micros(at + 1));
            prop_assert_eq!(&progress, &again, "a repeated fact changes nothing");
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
    fn facts_in_any_order_across_topics_complete_a_paid_order(
        facts in Just(vec![Fact::PaymentAuthorized, Fact::ShipmentDispatched, Fact::ShipmentDelivered]).prop_shuffle(),
        duplicates in prop::collection::vec(0..3usize, 0..5),
    ) {
        let mut delivered = facts.clone();
        delivered.extend(duplicates.iter().map(|index| facts[*index]));
        prop_assert_eq!(statuses(&after(&delivered)), vec!["placed", "paid", "dispatched", "completed"]);
    }
}
