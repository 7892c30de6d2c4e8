use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Order(OrderOutcome),
    Timer,
}

const PAID: Step = Step::Order(OrderOutcome::Paid);
const CANCELLED: Step = Step::Order(OrderOutcome::Cancelled);

/// The states that a shipment took, in order.
fn states(steps: &[Step]) -> Vec<State> {
    let mut states: Vec<State> = Vec::new();
    for step in steps {
        let current = states.last().copied();
        states.extend(match step {
            Step::Order(outcome) => State::after(current, *outcome),
            Step::Timer => current.and_then(State::after_timer),
        });
    }
    states
}

#[test]
fn a_paid_order_is_dispatched_and_delivered() {
    assert_eq!(
        states(&[PAID, Step::Timer, Step::Timer]),
        [State::Scheduled, State::Dispatched, State::Delivered]
    );
}

#[test]
fn a_cancelled_order_stays_in_the_warehouse_or_is_returned() {
    assert_eq!(states(&[PAID, CANCELLED, Step::Timer]), [State::Scheduled, State::Cancelled]);
    assert_eq!(states(&[PAID, Step::Timer, CANCELLED]).last(), Some(&State::Returned));
    assert_eq!(states(&[PAID, Step::Timer, Step::Timer, CANCELLED]).last(), Some(&State::Returned));
}

#[test]
fn an_order_that_is_paid_after_it_was_cancelled_is_not_shipped() {
    assert_eq!(states(&[CANCELLED, PAID, Step::Timer]), [State::Void]);
}

#[test]
fn a_timer_may_be_due_at_once() {
    let delays = Delays { dispatch_after: Duration::ZERO, deliver_after: Duration::from_secs(2) };
    let now = Timestamp::from_micros(7);
    assert_eq!(delays.due(State::Scheduled, now), Some(now));
    assert_eq!(delays.due(State::Dispatched, now), Some(Timestamp::from_micros(2_000_007)));
    assert_eq!(delays.due(State::Delivered, now), None);
}

#[test]
fn every_state_is_parsed_from_its_text() {
    for state in State::ALL {
        assert_eq!(State::parse(state.as_str()), Some(state));
    }
}

proptest! {
    #[test]
    fn an_order_is_shipped_once_or_compensated(
        steps in prop::collection::vec(prop::sample::select(vec![PAID, CANCELLED, Step::Timer]), 0..20),
    ) {
        let states = states(&steps);
        for (index, state) in states.iter().enumerate() {
            prop_assert!(!states[..index].contains(state), "no state is taken twice");
        }
        match states.last() {
            None => prop_assert!(!steps.iter().any(|step| *step != Step::Timer), "an outcome is never ignored"),
            Some(last) => {
                let compensated = matches!(last, State::Cancelled | State::Returned | State::Void);
                prop_assert_eq!(compensated, steps.contains(&CANCELLED), "a cancelled order keeps no parcel on its way");
                prop_assert_eq!(last.after_timer().is_some(), matches!(last, State::Scheduled | State::Dispatched));
            }
        }
    }
}
