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
    trace { one_order_is_one_trace, a_cancelled_order_is_one_trace_too }
    endings {
        a_declined_payment_gives_the_stock_back,
        a_payment_that_never_answers_cancels,
        a_charge_whose_answer_was_lost_is_given_back,
        a_customer_cancels_before_dispatch,
        a_reservation_expires,
    }
    requests { the_same_key_is_the_same_order, a_flaky_third_party_is_asked_again, slow_payments_delay_nobody_else }
    letters { a_poison_message_is_parked_and_others_flow_on, a_replay_heals }
    crashes {
        any_service_may_die_while_orders_flow,
        what_is_refused_while_services_die_succeeds_when_it_is_repeated,
        the_supervisor_may_die_too,
    }
    life { a_stop_fails_no_request_and_loses_no_span, what_was_under_way_goes_on_after_a_stop }
    live { changes_arrive_in_their_order, a_late_listener_hears_the_whole_story }
}
