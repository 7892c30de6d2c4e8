//! What the mesh expects of NATS, as stories: each runs against the embedded server, and again against a real nats-server.
//!
//! The real lane sets `NATS_SERVER_BIN` to a nats-server binary and runs the tests that are ignored here:
//! `cargo test -p mesh --test nats -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod client;
mod endings;
mod hostile;
mod limits;
mod messages;
mod requests;
mod server;
mod wire;

macro_rules! on_both_servers {
    ($($chapter:ident { $($story:ident),+ $(,)? })+) => {
        mod embedded {
            $(mod $chapter {
                $(#[tokio::test]
                async fn $story() {
                    crate::$chapter::$story(crate::server::Server::embedded().await).await;
                })+
            })+
        }

        mod real {
            $(mod $chapter {
                $(#[tokio::test]
                #[ignore = "needs nats-server; the real lane runs it"]
                async fn $story() {
                    crate::$chapter::$story(crate::server::Server::real().await).await;
                })+
            })+
        }
    };
}

on_both_servers! {
    messages {
        a_wildcard_stands_for_one_token_or_the_rest,
        headers_travel_with_a_message,
        a_queue_group_shares_the_work,
        a_payload_of_one_mebibyte_is_the_maximum,
        ten_thousand_subscriptions_each_get_their_message,
        one_message_reaches_hundreds,
    }
    requests {
        a_request_is_answered,
        a_request_to_the_own_connection_is_answered,
        a_request_without_responders_fails_at_once,
        without_echo_own_messages_are_not_delivered,
    }
    endings {
        a_subscription_ends_after_its_maximum_of_messages,
        an_unsubscribed_subject_has_no_responders,
        a_drained_subscription_delivers_pending_messages,
        a_drained_client_delivers_and_flushes_pending_messages,
        a_slow_consumer_is_closed_and_others_are_served,
        a_client_reconnects_after_a_restart,
    }
    wire {
        verbose_mode_confirms_every_operation,
        an_unknown_operation_ends_the_connection,
        an_invalid_subject_is_refused,
        operations_in_any_case_spacing_and_chunking_are_parsed,
        a_client_without_header_support_receives_no_headers,
        a_control_line_over_the_maximum_is_refused,
        a_payload_that_is_too_long_ends_the_connection,
    }
    client {
        a_live_message_reaches_its_subscriber_alone,
        an_undecodable_message_is_skipped_and_counted,
        connecting_waits_for_the_server,
        publishing_without_a_server_does_not_block,
        a_client_reconnects_by_itself,
        a_drained_client_ends_its_subscriptions,
    }
}
