//! The stories with nothing installed: embedded brokers, SQLite, and the binary that cargo built.

mod asyncapi;
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
    trace {
        one_order_is_one_trace,
        a_cancelled_order_is_one_trace,
        a_trace_goes_from_the_click_to_the_screen,
    }
    endings {
        a_declined_payment_releases_the_stock,
        a_payment_without_an_answer_cancels_the_order,
        a_charge_with_a_lost_answer_is_refunded,
        a_cancellation_before_dispatch_refunds_the_order,
        an_expired_reservation_cancels_the_order,
    }
    requests {
        an_out_of_stock_answer_names_the_item,
        a_repeated_idempotency_key_returns_the_same_order,
        a_failing_charge_is_retried_and_charged_once,
        slow_payments_delay_no_other_order,
        disconnected_clients_leave_no_stock_reserved,
        concurrent_orders_with_one_key_place_one_order,
        an_order_that_is_repeated_through_an_outage_is_placed,
    }
    alerts { each_failure_fires_its_alert_and_a_healthy_mesh_none }
    breaker { an_open_breaker_protects_the_third_party }
    clients {
        slow_clients_delay_no_other_client,
        a_half_closed_client_is_answered,
        long_inputs_delay_no_other_request,
    }
    events {
        a_poison_event_is_listed_and_discarded,
        a_foreign_page_changes_no_event,
        a_replayed_event_is_handled,
        an_order_shows_its_events,
    }
    letters { an_undecodable_record_becomes_a_dead_letter, a_replayed_dead_letter_is_handled_once }
    crashes {
        a_killed_service_loses_no_order,
        a_request_refused_during_a_crash_succeeds_when_repeated,
        a_killed_supervisor_loses_no_order,
    }
    life {
        a_stop_fails_no_request_and_loses_no_span,
        a_stopping_service_finishes_its_charge_in_flight,
        a_stopping_gateway_closes_idle_connections_without_loss,
        a_second_signal_ends_the_process_at_once,
        readyz_names_the_missing_dependency,
        all_configuration_errors_are_reported_at_once,
        a_port_in_use_is_named_before_the_start,
        interrupted_flows_continue_after_a_restart,
    }
    queries { lens_answers_every_query_of_dashboards_and_rules }
    rules { every_series_of_a_rule_exists_from_the_start }
    signals {
        every_service_has_every_signal,
        a_missing_collector_delays_no_request,
        a_silent_collector_delays_no_request,
        metrics_match_the_contract,
        lens_shows_the_topology_and_the_trace,
        an_open_console_leaves_no_span,
    }
    services {
        a_log_level_set_through_the_gateway_shows_more_and_reverts,
        settings_are_shown_through_the_gateway_without_secrets,
        a_profile_taken_through_the_gateway_has_frames_with_names,
        a_restart_is_counted,
    }
    profiles { a_cpu_profile_fits_into_a_small_pod }
    memory {
        the_last_run_can_be_read_after_a_restart,
        a_damaged_file_of_the_last_run_is_reported_and_left_out,
        an_exported_run_can_be_replayed_elsewhere,
        a_killed_lens_has_what_it_saved_before,
    }
    protocol { a_websocket_keeps_to_the_protocol, a_websocket_needs_a_valid_handshake }
    websocket {
        an_order_arrives_in_stages_with_its_trace,
        a_client_continues_after_an_interruption,
        a_client_of_a_killed_gateway_receives_a_gap,
        a_slow_consumer_is_dropped,
        a_stopping_gateway_closes_with_a_reason,
    }
    live { live_updates_arrive_in_order, a_late_subscriber_receives_the_whole_history }
}
