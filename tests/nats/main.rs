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
        a_mebibyte_fits_and_no_more,
        ten_thousand_subscriptions_each_get_their_own,
        one_message_reaches_hundreds,
    }
    requests {
        a_request_is_answered,
        a_request_to_the_own_connection_is_answered,
        nobody_to_answer_is_told_at_once,
        without_echo_the_own_messages_stay_away,
    }
    endings {
        a_subscription_ends_after_so_many_messages,
        an_unsubscribed_subject_has_no_responders,
        a_drained_subscription_keeps_what_was_sent,
        a_drained_client_keeps_what_was_sent_and_sends_what_it_has,
        a_slow_consumer_is_cut_off_and_the_others_live,
        a_client_finds_the_server_again,
    }
    wire {
        every_operation_is_confirmed_if_asked_for,
        an_unknown_operation_ends_the_connection,
        an_invalid_subject_is_refused,
        case_and_white_space_and_pieces_do_not_matter,
        who_knows_no_headers_gets_none,
        a_control_line_has_an_end,
        a_payload_that_is_too_long_ends_the_connection,
    }
    client {
        a_live_message_reaches_its_subscriber_alone,
        a_request_carries_types_both_ways,
        what_cannot_be_read_is_skipped_and_counted,
        connecting_waits_for_the_server,
        without_a_server_nothing_blocks,
        it_comes_back_by_itself,
        a_drained_client_ends_its_subscriptions,
    }
}
