//! The stories with nothing installed: embedded brokers, SQLite, and the binary that cargo built.

mod openapi;

#[path = "../stories/stories.rs"]
mod stories;

use harness::Options;

fn embedded() -> Options {
    Options::new(env!("CARGO_BIN_EXE_mesh"))
}

macro_rules! stories {
    ($($chapter:ident { $($story:ident),+ $(,)? })+) => {
        $(
            mod $chapter {
                $(
                    #[tokio::test]
                    async fn $story() {
                        crate::stories::$chapter::$story(crate::embedded()).await;
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
    requests {
        what_is_out_of_stock_is_named,
        the_same_key_is_the_same_order,
        a_flaky_third_party_is_asked_again,
        slow_payments_delay_nobody_else,
        clients_that_leave_leave_no_stock_held,
        a_key_that_is_used_for_other_orders_at_once_is_refused,
        an_order_that_is_repeated_through_an_outage_is_placed,
    }
    breaker { a_third_party_that_is_down_is_left_alone }
    clients {
        slow_clients_cost_others_nothing,
        who_closes_its_sending_side_is_answered,
        long_inputs_harm_no_other_request,
    }
    letters { a_poison_message_is_parked_and_others_flow_on, a_replay_heals }
    crashes {
        any_service_may_die_while_orders_flow,
        what_is_refused_while_services_die_succeeds_when_it_is_repeated,
        the_supervisor_may_die_too,
    }
    life {
        a_stop_fails_no_request_and_loses_no_span,
        a_stop_finishes_a_charge_that_was_begun,
        a_gateway_that_stops_lets_its_customers_leave,
        a_second_signal_ends_at_once,
        readiness_says_what_is_missing,
        a_bad_configuration_is_told_whole,
        a_taken_port_is_named,
        what_was_under_way_goes_on_after_a_stop,
    }
    rules { every_series_that_an_objective_or_alert_reads_exists_from_the_start }
    signals {
        every_service_has_every_signal,
        a_dead_collector_costs_no_request,
        a_collector_that_never_answers_costs_no_request,
        metrics_are_what_the_contract_says,
        the_lens_sees_the_whole_mesh,
    }
    profiles { a_profile_fits_into_a_small_pod }
    live { changes_arrive_in_their_order, a_late_listener_hears_the_whole_story }
}
