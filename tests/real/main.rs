//! The stories again, on Apache Kafka, nats-server and PostgreSQL; and stories that only real parts allow: the parts die and
//! come back, and services have several replicas. `.ci/run` starts the parts; `tests/README.md` says how to start them by
//! hand.

mod cache;
mod outages;
mod parts;
mod replicas;
mod secured;

#[expect(dead_code, reason = "some stories are about what is embedded")]
#[path = "../stories/stories.rs"]
mod stories;

use harness::Options;

/// A mesh on the real parts. All of these tests share the parts and run one after the other.
pub(crate) fn real() -> Options {
    on(env!("CARGO_BIN_EXE_mesh"), &parts::address("KAFKA"))
        .set("MESH_REDIS__URL", &format!("redis://{}", parts::address("VALKEY")))
}

/// The same with another binary, at another of Kafka's addresses.
pub(crate) fn on(binary: &str, kafka: &str) -> Options {
    let postgres =
        format!("postgres://{{service}}:{{service}}@{}/{{service}}", parts::address("POSTGRES"));
    Options::new(binary)
        // A broker keeps a killed member for its session timeout, so the timeout is as short as the broker allows.
        .set("MESH_KAFKA__SESSION_TIMEOUT", "6s")
        .arguments(&["--kafka", kafka])
        .arguments(&["--nats", &format!("nats://{}", parts::address("NATS"))])
        .arguments(&["--postgres", &postgres])
}

macro_rules! stories {
    ($($chapter:ident { $($story:ident),+ $(,)? })+) => {
        $(
            mod $chapter {
                $(
                    #[tokio::test]
                    #[ignore = "needs Kafka, NATS and PostgreSQL: .ci/run has them"]
                    async fn $story() {
                        crate::stories::$chapter::$story(crate::real()).await;
                    }
                )+
            }
        )+
    };
}

stories! {
    trace { one_order_is_one_trace, a_cancelled_order_is_one_trace }
    endings {
        a_declined_payment_releases_the_stock,
        a_payment_without_an_answer_cancels_the_order,
        a_charge_with_a_lost_answer_is_refunded,
        a_cancellation_before_dispatch_refunds_the_order,
        an_expired_reservation_cancels_the_order,
    }
    requests { a_repeated_idempotency_key_returns_the_same_order, a_failing_charge_is_retried_and_charged_once, slow_payments_delay_no_other_order }
    events { a_poison_event_is_listed_and_discarded, an_order_shows_its_events }
    letters { an_undecodable_record_becomes_a_dead_letter, a_replayed_dead_letter_is_handled_once }
    crashes {
        a_killed_service_loses_no_order,
        a_request_refused_during_a_crash_succeeds_when_repeated,
        a_killed_supervisor_loses_no_order,
    }
    life { a_stop_fails_no_request_and_loses_no_span, interrupted_flows_continue_after_a_restart }
    live { live_updates_arrive_in_order, a_late_subscriber_receives_the_whole_history }
}
